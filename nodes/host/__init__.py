"""What ComfyUI hands over and takes: images, videos, model folders, browser previews."""
