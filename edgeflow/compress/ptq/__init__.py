"""Post-training quantization of a float .tflite, with ranges and types chosen by tensor."""
