"""The program that calls a network's kernels, as C."""

from collections.abc import Iterator, Mapping, Sequence

from .schedule import Copy, Dispatch, Fill, Schedule, Span, Tensor

CONSTANTS = "constants.bin"

_HEAD = """\
/* Runs a network: its kernels in their order, on buffers of this file. One caller at a time. */
#include <stddef.h>
#include <stdint.h>

/* Structures of IREE's executable library, version 6, that its kernels come in. */
typedef struct { uint32_t version; const char *name; uint32_t features, sanitizer; } header_t;
typedef struct {
  const uint32_t *constants;
  void *import_thunk;
  void *const *imports;
  const void *const *import_contexts;
  uint64_t processor[8];
} environment_t;
typedef struct {
  uint32_t size_x, size_y;
  uint16_t size_z, constant_count;
  uint32_t count_x, count_y;
  uint16_t count_z;
  uint8_t concurrency, binding_count;
  const uint32_t *constants;
  void *const *bindings;
  const size_t *lengths;
} dispatch_t;
typedef struct {
  uint32_t x, y;
  uint16_t z, reserved;
  uint32_t processor;
  void *local_memory;
  uint32_t local_memory_size;
} workgroup_t;
typedef int (*kernel_t)(const environment_t *, const dispatch_t *, const workgroup_t *);
typedef struct {
  uint64_t flags;
  uint16_t local_memory_pages;
  uint8_t unused[54];
} attributes_t;
typedef struct {
  const header_t *const *header;
  struct { uint32_t count; const char *const *symbols; } imports;
  struct {
    uint32_t count;
    const kernel_t *kernels;
    const attributes_t *attributes;
    const void *parameters, *occupancy;
    const char *const *names;
  } exports;
} library_t;
extern const library_t *iree_hal_executable_library_query(uint32_t version, const void *host);

#define EXPORTED __attribute__((visibility("default")))
#define LOCAL __attribute__((visibility("hidden")))
#define BUFFER(name, size) static uint8_t name[size] __attribute__((aligned(64)))

"""

_HELPERS = """\
static void fill(uint8_t *target, size_t length, uint64_t pattern, size_t width) {
  if (width == 1) /* as nearly all are: many bytes at a time */
    for (size_t i = 0; i < length; i++) target[i] = (uint8_t)pattern;
  else
    for (size_t i = 0; i < length; i++) target[i] = (uint8_t)(pattern >> 8 * (i % width));
}

static void copy(uint8_t *target, const uint8_t *source, size_t length) {
  for (size_t i = 0; i < length; i++) target[i] = source[i];
}

static int run(kernel_t kernel, dispatch_t dispatch) {
  static const environment_t environment;
  workgroup_t at = {0};
  for (at.z = 0; at.z < dispatch.count_z; at.z++)
    for (at.y = 0; at.y < dispatch.count_y; at.y++)
      for (at.x = 0; at.x < dispatch.count_x; at.x++)
        if (kernel(&environment, &dispatch, &at)) return 1;
  return 0;
}

static int equal(const char *one, const char *other) {
  while (*one && *one == *other) one++, other++;
  return *one == *other;
}

/* Finds the kernels; not 0 if one is not there, or wants what this program does not give. */
EXPORTED int edgeflow_load(void) {
  const library_t *library = iree_hal_executable_library_query(6, NULL);
  if (!library || library->imports.count) return 1;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    uint32_t place = 0;
    while (place < library->exports.count && !equal(library->exports.names[place], names[i]))
      place++;
    if (place == library->exports.count) return 2;
    if (library->exports.attributes[place].local_memory_pages) return 3;
    kernels[i] = library->exports.kernels[place];
  }
  return 0;
}

"""


_RUN = """\
EXPORTED int edgeflow_run(void) {
  for (int i = 0; i < %d; i++)
    if (edgeflow_step(i)) return 1;
  return 0;
}"""

_INCLUDED = f"""\
__asm__(".section .rodata\\n.balign 64\\nedgeflow_constants:\\n"
        ".incbin \\"{CONSTANTS}\\"\\n.previous\\n");
extern const uint8_t constants[] __asm__("edgeflow_constants") LOCAL;"""


def c_source(schedule: Schedule, constants: Mapping[str, int]) -> str:
    """Return the program.

    Args:
        schedule: what the network does.
        constants: where each global's bytes begin in the file of all constants, by its name.
    """
    return _HEAD + "\n".join(_Program(schedule, constants).lines()) + "\n"


def kernels_of(schedule: Schedule) -> list[str]:
    """Return the names of all kernels, each once, in the order of their first use."""
    steps = (step for step in schedule.steps if isinstance(step, Dispatch))
    return list(dict.fromkeys(step.kernel for step in steps))


class _Program:
    def __init__(self, schedule: Schedule, constants: Mapping[str, int]) -> None:
        self._schedule = schedule
        self._constants = constants
        self._kernels = {name: place for place, name in enumerate(kernels_of(schedule))}

    def lines(self) -> Iterator[str]:
        yield from self._data()
        yield _HELPERS
        yield from self._tensors("input", self._schedule.inputs)
        yield from self._tensors("output", self._schedule.outputs)
        yield "EXPORTED int edgeflow_step(int index) {"
        yield "  switch (index) {"
        for place, step in enumerate(self._schedule.steps):
            yield f"  case {place}:"
            yield from self._step(step)
        yield "  }"
        yield "  return 0;"
        yield "}"
        yield _RUN % len(self._schedule.steps)

    def _data(self) -> Iterator[str]:
        inputs = {tensor.span.buffer: tensor.span.length for tensor in self._schedule.inputs}
        for name, size in {**inputs, **self._schedule.scratch}.items():
            yield f"BUFFER({name}, {max(1, size)});"
        if self._constants:
            yield _INCLUDED
        names = ", ".join(f'"{name}"' for name in self._kernels)
        yield f"static const char *const names[] = {{{names}}};"
        yield "static kernel_t kernels[sizeof names / sizeof *names];"

    def _tensors(self, side: str, tensors: Sequence[Tensor]) -> Iterator[str]:
        places = ", ".join(self._place(tensor.span) for tensor in tensors)
        yield f"EXPORTED void *edgeflow_{side}(int index) {{"
        yield f"  void *const all[] = {{{places}}};"
        yield "  return all[index];"
        yield "}"

    def _place(self, span: Span) -> str:
        offset = self._constants.get(span.buffer)
        if offset is None:
            return f"{span.buffer} + {span.offset}"
        return f"(void *)(constants + {offset + span.offset})"

    def _step(self, step: Fill | Copy | Dispatch) -> Iterator[str]:
        if isinstance(step, Fill):
            place, length = self._place(step.target), step.target.length
            equal = len(set(step.pattern.to_bytes(step.width, "little"))) == 1
            pattern, width = (step.pattern & 0xFF, 1) if equal else (step.pattern, step.width)
            yield f"    fill({place}, {length}, {pattern}u, {width});"
            yield "    break;"
        elif isinstance(step, Copy):
            places = f"{self._place(step.target)}, {self._place(step.source)}"
            yield f"    copy({places}, {step.target.length});"
            yield "    break;"
        else:
            yield from self._call(step)

    def _call(self, step: Dispatch) -> Iterator[str]:
        x, y, z = step.workgroups
        constants = ", ".join(f"{value}u" for value in step.constants)
        places = ", ".join(map(self._place, step.bindings))
        lengths = ", ".join(str(span.length) for span in step.bindings)
        yield f"    return run(kernels[{self._kernels[step.kernel]}], (dispatch_t){{"
        yield f"        1, 1, 1, {len(step.constants)}, {x}, {y}, {z}, 1, {len(step.bindings)},"
        yield f"        (const uint32_t[]){{{constants or '0'}}}, (void *const[]){{{places}}},"
        yield f"        (const size_t[]){{{lengths}}}}});"
