"""The whole of Vidlift on one clip: published, served, received, super-resolved, measured, played.

The clip is five seconds of Big Buck Bunny, (c) Blender Foundation, CC BY 3.0 (see NOTICE).
"""
