"""How good and how fast networks are, by the protocols of ``docs/measurement.md``.

``pictures`` and ``clips`` are the protocols, ``networks`` what is put through them: bicubic
interpolation, a model of ours, or a published network as a plain ONNX file.
"""
