"""Where restored frames go: a page in the browser, a stream for other programs, a virtual camera."""
