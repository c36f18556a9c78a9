"""The experiment on real radiographs: arms b, c and d trained on real images, on phantoms, and on both.

Run it with ``python -m training.real_images --config training/configs/real-images.yaml``.
"""
