/* Plug-in of qemu-user: counts a process' instructions, and tells it their number when it asks.
 *
 * A program asks by prctl(0x65640001, fd): eight bytes, in the host's order, come out of that file
 * descriptor. Linux itself refuses the call, so a program finds out whether it is counted.
 *
 * The declarations are those of QEMU's qemu-plugin.h, version 1 of the interface.
 */
#include <stdint.h>
#include <unistd.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_info_t;
enum { QEMU_PLUGIN_INLINE_ADD_U64 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(
    struct qemu_plugin_tb *, int, void *, uint64_t);
extern uint64_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_vcpu_syscall_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t,
                               uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { PRCTL = 167 /* of arm64 and RISC-V */, ASK = 0x65640001 };
static uint64_t executed;

/* Each block of instructions adds its length as it starts: one addition, no call. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    qemu_plugin_register_vcpu_tb_exec_inline(
        block, QEMU_PLUGIN_INLINE_ADD_U64, &executed, qemu_plugin_tb_n_insns(block));
}

static void called(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t what, uint64_t fd,
                   uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    uint64_t now = executed;
    if (number == PRCTL && what == ASK && write((int)fd, &now, sizeof now) != sizeof now)
        _exit(1);
}

__attribute__((visibility("default"))) int qemu_plugin_install(
    qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
