"""Where quantization loses accuracy: layer by layer, class by class, by calibration size."""
