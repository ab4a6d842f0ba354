"""The build systems that an export is for."""

from enum import StrEnum


class Layout(StrEnum):
    """A build system; one folder can be for all."""

    PLAIN = "plain"
    CMAKE = "cmake"
    ARDUINO = "arduino"
    ZEPHYR = "zephyr"
    ESP_IDF = "esp-idf"


FILES: dict[Layout, tuple[str, ...]] = {
    Layout.PLAIN: (),
    Layout.CMAKE: ("CMakeLists.txt",),
    Layout.ARDUINO: ("library.properties", "examples/NAME/NAME.ino"),
    Layout.ZEPHYR: ("zephyr/module.yml", "zephyr/CMakeLists.txt", "zephyr/Kconfig"),
    Layout.ESP_IDF: ("CMakeLists.txt", "idf_component.yml"),
}
"""What each adds to the sources, the example and the README."""
