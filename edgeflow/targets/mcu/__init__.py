"""Target kind `mcu`: integer-only C and firmware for microcontrollers."""
