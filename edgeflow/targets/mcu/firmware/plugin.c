/*
 * Counts what a function executes, for QEMU's TCG plug-in interface.
 *
 * Arguments: start=ADDRESS of the function, out=FILE, and cycles=1 for an estimate of a Cortex-M0's
 * cycles, with wait=N where its flash has wait states: for each 32 bits of code, and each read of
 * constants. The file gets one line for each call: instructions and cycles, 0 without the estimate.
 *
 * Debian ships QEMU without the header of this interface, so what is used of it is declared here
 * (qemu-plugin.h, "TCG Plugins" in QEMU's documentation). API is the version of the interface: 1
 * before QEMU 9, and 2 since; later ones are taken by it too.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#ifndef API
#define API 1
#endif

typedef uint64_t qemu_plugin_id_t;
struct qemu_info {
    const char *target_name;
    int version_min;
    int version;
};
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*translated_t)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*executed_t)(unsigned int, void *);
typedef void (*at_exit_t)(qemu_plugin_id_t, void *);
enum { READ = 1 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translated_t);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, executed_t, int, void *);
typedef void (*accessed_t)(unsigned int, uint32_t, uint64_t, void *);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, accessed_t, int, int, void *);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, at_exit_t, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
void qemu_plugin_insn_data(void);
/* What it is before version 3 of the interface, and since. */
typedef const void *(*data_t)(const struct qemu_plugin_insn *);
typedef size_t (*copied_data_t)(const struct qemu_plugin_insn *, void *, size_t);

EXPORT int qemu_plugin_version = API;

/* Instructions that run one after the other; control comes in at the first and leaves at the last. */
typedef struct {
    uint64_t start;
    uint64_t next; /* address after the last */
    uint64_t instructions;
    uint64_t cycles; /* the last instruction's as if it did not branch */
    uint64_t branch; /* and what a branch adds */
} block_t;

static uint64_t function;
static bool estimate;
static uint64_t wait_states;
static data_t get_data;
static copied_data_t copy_data;
static FILE *out;

static const block_t *last;
static bool inside;
static uint64_t back;
static uint64_t instructions;
static uint64_t cycles;

static unsigned ones(unsigned bits)
{
    return (unsigned)__builtin_popcount(bits);
}

/* Cortex-M0 Technical Reference Manual, "Instruction set summary", memory without wait states. */
static void add_cycles(block_t *block, unsigned op)
{
    unsigned count = 1; /* also MULS: most cores are built with the fast multiplier */
    unsigned branch = 0;
    if (op >> 11 >= 0x1D) {
        count = 4; /* 32 bits: BL, MSR, MRS and barriers */
    } else if ((op & 0xFF00u) == 0x4700u) {
        count = 3; /* BX, BLX */
    } else if ((op & 0xFD00u) == 0x4400u && (op & 0x87u) == 0x87u) {
        count = 3; /* ADD or MOV to the program counter */
    } else if (op >> 11 == 9 || (op >> 12 >= 5 && op >> 12 <= 9)) {
        count = 2; /* LDR, STR of all sizes */
    } else if ((op & 0xFE00u) == 0xB400u) {
        count = 1 + ones(op & 0x1FFu); /* PUSH */
    } else if ((op & 0xFE00u) == 0xBC00u) {
        count = (op & 0x100u ? 4 : 1) + ones(op & 0x1FFu); /* POP */
    } else if (op >> 12 == 0xC) {
        count = 1 + ones(op & 0xFFu); /* LDM, STM */
    } else if (op >> 12 == 0xD && (op >> 8 & 0xFu) < 0xE) {
        branch = 2; /* B with a condition: 1, or 3 where it is taken */
    } else if (op >> 11 == 0x1C) {
        count = 3; /* B */
    }
    block->cycles += count;
    block->branch = branch;
}

/* Returns the first half-word of an instruction. */
static unsigned first_half(const struct qemu_plugin_insn *instruction)
{
    uint16_t word = 0;
    if (copy_data != NULL) {
        copy_data(instruction, &word, sizeof word);
    } else {
        memcpy(&word, get_data(instruction), sizeof word);
    }
    return word;
}

static void on_block(unsigned int cpu, void *data)
{
    (void)cpu;
    const block_t *block = data;
    if (inside && block->start == back) {
        fprintf(out, "%" PRIu64 " %" PRIu64 "\n", instructions, cycles);
        inside = false;
    } else if (!inside && block->start == function && last != NULL) {
        inside = true;
        back = last->next;
        instructions = 0;
        cycles = 0;
        last = NULL;
    }
    if (inside) {
        cycles += block->cycles + (last && last->next != block->start ? last->branch : 0);
        instructions += block->instructions;
    }
    last = block;
}

/* A Cortex-M has its flash below its RAM. */
#define RAM 0x20000000u

static void on_read(unsigned int cpu, uint32_t about, uint64_t address, void *data)
{
    (void)cpu, (void)about, (void)data;
    cycles += inside && address < RAM ? wait_states : 0;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *translated)
{
    (void)id;
    block_t *block = calloc(1, sizeof *block);
    if (block == NULL) {
        abort();
    }
    block->start = block->next = qemu_plugin_tb_vaddr(translated);
    block->instructions = qemu_plugin_tb_n_insns(translated);
    for (size_t i = 0; i < block->instructions; i++) {
        struct qemu_plugin_insn *one = qemu_plugin_tb_get_insn(translated, i);
        block->next += qemu_plugin_insn_size(one);
        if (estimate) {
            add_cycles(block, first_half(one));
        }
        if (wait_states > 0) {
            qemu_plugin_register_vcpu_mem_cb(one, on_read, 0, READ, NULL);
        }
    }
    if (block->start < RAM) {
        block->cycles += wait_states * ((block->next + 3) / 4 - block->start / 4);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(translated, on_block, 0, block);
}

static void at_exit(qemu_plugin_id_t id, void *data)
{
    (void)id;
    (void)data;
    fclose(out);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
                               char **argv)
{
    if (info->version >= 3) {
        copy_data = (copied_data_t)qemu_plugin_insn_data;
    } else {
        get_data = (data_t)qemu_plugin_insn_data;
    }
    for (int i = 0; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        if (value == NULL) {
            return -1;
        }
        value++;
        if (strncmp(argv[i], "start=", 6) == 0) {
            function = strtoull(value, NULL, 0);
        } else if (strncmp(argv[i], "out=", 4) == 0) {
            out = fopen(value, "w");
        } else if (strncmp(argv[i], "cycles=", 7) == 0) {
            estimate = *value == '1';
        } else if (strncmp(argv[i], "wait=", 5) == 0) {
            wait_states = strtoull(value, NULL, 0);
        }
    }
    if (out == NULL) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
