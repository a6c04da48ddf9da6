/* SPDX-License-Identifier: Apache-2.0 */
/* The line protocol between the service (measure/) and the program that runs kernels
 * (harness/, ratchet-bench): every line, its fields and its bounds. Owns no code.
 *
 * The parent writes commands to the harness's stdin and reads answers from its stdout. A line
 * is printable ASCII, words separated by single spaces, at most WIRE_LINE_BYTES - 1 bytes
 * before its newline. Numbers are decimal, without sign or leading zeros, at most 2^53. TEXT
 * is the rest of a line, at most WIRE_TEXT_BYTES - 1 bytes. ARM is a name of enum arm.
 *
 * One command at a time: the parent sends nothing until the answer is complete, and each
 * command but `stage` and `turn` runs code of at most one library. So whoever dies, hangs or
 * lies is known from the command that is open; in these two, from the lines that came before.
 *
 * The harness starts by itself with
 *     ratchet-bench VERSION DEVICE            VERSION is WIRE_VERSION, DEVICE cpu or cuda
 *
 * command                                     answer
 *     open THREADS WATCHDOG_MS [CPU]...           opened L2_BYTES FREE_BYTES TOTAL_BYTES APART
 *     load SLOT FILE                              loaded SLOT NAME      NAME is the kernel's
 *                                                 refused SLOT TEXT
 *     config B H HKV SQ SK D DTYPE CAUSAL         configured
 *            HEAD BASE ANCHOR CONTROL                 (slots; `-`: no such arm)
 *            [OTHER]...
 *     prepare ARM                                 prepared ARM WORKSPACE_BYTES
 *     allocate ROTATION_BYTES MOST_BYTES          allocated SETS SET_BYTES
 *     forward ARM SEED                            ran ARM GROWN_BYTES
 *     rows ARM SEED COUNT                         right ARM ROWS WORST
 *     bits ARM                                    hashed ARM HIGH LOW
 *     fill SEED                                   filled
 *     calibrate ARM TARGET_NS                     calibrated ARM LAUNCHES
 *     stage SEED ARM:LAUNCHES[+DELAY_NS]...       staged ARM, one per ARM in that order
 *     turn                                        sample ARM TOTAL_NS DISTURBED, likewise,
 *                                                     then: done
 *     compare                                     compared
 *     trace SEED ARM:LAUNCHES...                  traced ARM KERNEL_NS TOTAL_NS, likewise,
 *                                                     then: done
 *     launches ARM                                launches ARM COUNT, then one per kernel:
 *                                                     launched ARM THREADS BLOCKS SHARED WARPS
 *                                                     TEXT
 *     release                                     released
 *     quit                                        (exits 0)
 *
 * In place of any answer may come
 *     wrong ARM TEXT     this arm gave a wrong result or refused; the process goes on and
 *                        the next command may come (in a turn, the turn is over)
 *     failed TEXT        the harness cannot do it: no memory, a command out of place; the
 *                        process goes on
 *     died SIGNAL        last words: a signal ended the process, SIGALRM when a command
 *                        took longer than WATCHDOG_MS; nothing follows
 *     crashed TEXT       last words: the kernel ended the device for this process (an
 *                        illegal address, say); nothing follows
 *
 * open       Threads given to every kernel; with CPUs named, the process runs on these only.
 *            The device's cache and memory, before any library was loaded; 0: not known. APART: 1 where
 *            no library reaches the harness's clock, so that nothing needs to be held against it.
 * load       FILE is a plain name in the working folder. Slots are 0 to WIRE_SLOTS_MAX - 1. Not while
 *            something is configured. On the CPU each library has a process of its own, which stands
 *            still (SIGSTOP) but for what it is asked; its end is the harness's, in its words.
 * config     Sets the problem and what each arm runs, in the order of enum arm; those after
 *            CONTROL may be left out from the end. `release` undoes it.
 * prepare    Asks the library whether it supports the problem and how much scratch it needs.
 * allocate   Buffers that all arms share: as many input sets as fill ROTATION_BYTES, 1 where
 *            it is 0 (warm inputs), else from 2 to WIRE_SETS_MAX; one out, lse, workspace, or on the CPU
 *            an out and lse for each launch of a sample. MOST_BYTES: what queries may take, of which
 *            there will be more than of keys and values, with these outputs.
 * forward    Fresh inputs from SEED, some rows extreme; outputs poisoned; one launch; then
 *            every element is checked for being written and within the range of v.
 *            GROWN_BYTES: device memory that the launch itself took (code, local memory).
 * rows       COUNT rows of that output drawn from SEED, or all where there are not more,
 *            compared in fp64. SEED is made only now, so nobody knew the rows before. WORST
 *            is the largest error, in millionths of its tolerance.
 * bits       HIGH and LOW: the halves of a 64-bit hash of that output's bits, lse included. Comes
 *            before `rows`, after which the output is not spoken of any more.
 * fill       Inputs for timing, the same for all arms.
 * calibrate  How many launches a sample of TARGET_NS has. There are as many queries then as
 *            WIRE_LAUNCHES_MOST of them, so that no two launches of a sample have the same answer;
 *            fewer launches, where MOST_BYTES do not suffice for that. What was filled may be gone.
 * stage      Fresh inputs from SEED: all queries, and one set of keys and values. Everything that a
 *            turn needs and does not want to wait for: on CUDA, `forward` of each arm is captured
 *            once for each input set, at its first turn, and a sample's graph is put together of
 *            these here. LAUNCHES: of each arm by itself; all end at the same input set, which SEED
 *            draws. With DELAY_NS the device is kept busy that much longer within the sample: what a
 *            slower kernel would read like (`ratchet calibrate`); 0 where another arm of the turn
 *            has one.
 * turn       The samples of what was staged, once. Before each all outputs are poison, and on CUDA
 *            the caches are swept. TOTAL_NS is the device time of its launches together; on the CPU
 *            the time from before the arm's process goes on until it stands still, by the harness's
 *            clock; where THREADS is 1, without the harness's time on a processor and what either waited
 *            for one, by the kernel's count, and no less than the time that it had one. DISTURBED:
 *            on the CPU, with several THREADS, how many times 200 us its first thread waited for a
 *            processor, on CUDA 1 where the host did not keep the queue full. One row of what one
 *            launch wrote is kept of each sample. Between the command and `done` only work of a constant
 *            length is done besides, so that the parent's clock can be held against TOTAL_NS.
 * compare    The rows kept in that turn, in fp64.
 * trace      Samples like those of a turn, which CUPTI watches as well: KERNEL_NS is the sum of
 *            the kernels' own times (tests/gpu/record_traces.py). CUDA only; nothing is verified, and
 *            from the first trace on CUPTI stays on.
 * launches   The first WIRE_LAUNCHED_MAX kernels that one call launches: threads a block, blocks, bytes of
 *            dynamic shared memory a block, warps that a multiprocessor can hold of it, and TEXT,
 *            its mangled name. CUDA only; nothing is timed and nothing verified. */
#ifndef RATCHET_WIRE_H
#define RATCHET_WIRE_H

enum {
    WIRE_VERSION = 4,
    WIRE_LINE_BYTES = 1024,
    WIRE_TEXT_BYTES = 400,
    WIRE_NAME_BYTES = 64, /* FILE, NAME, DEVICE, NUL included: letters, digits, `_-.` */
    WIRE_WORDS_MAX = 160, /* of a command */
    WIRE_SLOTS_MAX = 64,
    WIRE_CPUS_MAX = 128,
    WIRE_THREADS_MAX = 1024,
    WIRE_SETS_MAX = 64,
    WIRE_ROWS_MAX = 4096,
    WIRE_TURN_ARMS_MAX = 64, /* an arm may come several times in one turn */
    WIRE_LAUNCHED_MAX = 16,  /* kernels of one call of forward */
    WIRE_LAUNCHES_MAX = 1000000
};

/* The least and the most launches that a turn asks for, of what `calibrate` answered: their number
 * is drawn for each arm and turn. */
#define WIRE_LAUNCHES_LEAST(launches) ((launches) - (launches) / 2)
#define WIRE_LAUNCHES_MOST(launches) ((launches) + ((launches) + 1) / 2)

/* How a time is taken and what for: the inputs of a launch, what comes before it, what is compared.
 * Environments, baselines, pools and calibrations name it, and numbers of different protocols are
 * not compared in silence. Where none is named it was the first, until 2026-11. The second made every
 * launch's queries its own; the third, of the CPU, gives each library a process. */
#define WIRE_PROTOCOL_CPU "3"
#define WIRE_PROTOCOL_CUDA "2"

#define WIRE_NUMBER_MAX 9007199254740992ull /* 2^53 */
#define WIRE_KERNEL_SYMBOL "attention_kernel"

#endif
