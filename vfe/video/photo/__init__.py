"""What photo files hold besides pixels: colour profiles and camera data, in and out. Import the submodules.

Files come from anywhere, so every length is checked against what is there, and what does not fit is taken as absent.
"""
