// An OpenCL driver of a device that is not there: it says that it is an NVIDIA H100, and its kernels do nothing. Buffers
// are memory of the host, so what is written can be read again. For tests of what the host does: which programs it builds,
// what it launches with which arguments, that this keeps to NVIDIA's limits, and what it says when the device fails.
//
// .ci/pretend-device compiles it and writes the .icd file that an OpenCL loader takes. Environment variables:
//   PRETEND_LOG=FILE          appends a line a call:
//                                 allocate BYTES
//                                 build PROGRAM OPTIONS
//                                 launch KERNEL of PROGRAM, GLOBAL in LOCAL: NAME=VALUE …
//                                 write BYTES, read BYTES, fill BYTES, copy BYTES, flush, finish
//                                 wrong: WHAT        a call that NVIDIA's driver would refuse, as this one then does
//                             a buffer's value is in:BUFFER:BYTES or out:BUFFER:BYTES by `const`, local memory's
//                             local:BYTES, a struct's TYPE:MEMBER,…
//   PRETEND_FAULT=CALL:N:CODE the N-th such call (from 1) fails with CODE. CALL is allocate, build (with an empty log),
//                             enqueue, write, read or finish; or kernel: the N-th launch goes well and every later call
//                             that waits fails, as when a kernel faults
//   PRETEND_NEEDS_COMPILER=1  builds need libnvidia-nvvm.so.4, as NVIDIA's do; without it they fail with an empty log
//   PRETEND_NO_DEVICE=1       the platform has no device, as where the kernel's module is not loaded
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#include <CL/cl_icd.h>
#include <ctype.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define __OPENCL_VERSION__ 120  // the structs as kernels see them
#include "KernelStructs.h"

// What the device can have. Local memory is the static limit; a grid's first dimension has practically none.
#define MEMORY_BYTES 85017624576ull
#define LARGEST_ALLOCATION (MEMORY_BYTES / 4)
#define LOCAL_BYTES 49152
#define ALIGNMENT 512
#define LARGEST_GROUP 1024
#define LARGEST_GRID 65535
static const size_t largest_local[3] = {1024, 1024, 64};
#define MOST_ARGUMENTS 64
#define MOST_ARGUMENT_BYTES 4352

// The loader reads an object's first member.
static cl_icd_dispatch calls;
#define OBJECT cl_icd_dispatch *dispatch;
typedef struct _cl_platform_id { OBJECT } Platform;
typedef struct _cl_device_id { OBJECT } Device;
typedef struct _cl_context { OBJECT } Context;
typedef struct _cl_command_queue { OBJECT } Queue;
typedef struct _cl_event { OBJECT cl_ulong start; } Event;
typedef struct _cl_mem { OBJECT int number; size_t size; char *bytes; struct _cl_mem *whole; } Memory;
typedef struct _cl_program { OBJECT char *source, *options; int number; size_t local_bytes; } Program;
typedef struct { char name[64], type[64]; enum { BY_VALUE, IN, OUT, LOCAL } kind; size_t size; } Parameter;
typedef struct { bool is_set; size_t size; Memory *memory; char bytes[512]; } Argument;
typedef struct _cl_kernel {
    OBJECT
    Program *program;
    char name[96];
    int count;
    bool is_declared;  // whether its declaration was found in the program's text
    Parameter parameters[MOST_ARGUMENTS];
    Argument arguments[MOST_ARGUMENTS];
} Kernel;
static Platform the_platform = {&calls};
static Device the_device = {&calls};
#define NEW(type) ({ type *object = calloc(1, sizeof(type)); object->dispatch = &calls; object; })

static size_t allocated;
static int programs, buffers;
static cl_ulong now;  // nanoseconds, of a clock that launches move

// MARK: The log, and faults

static void say(const char *format, ...) {
    const char *path = getenv("PRETEND_LOG");
    if (!path) return;
    static FILE *file;
    if (!file) file = fopen(path, "a");
    va_list values;
    va_start(values, format);
    vfprintf(file, format, values);
    va_end(values);
}
#define LINE(...) (say(__VA_ARGS__), say("\n"))
#define WRONG(code, ...) (say("wrong: "), LINE(__VA_ARGS__), code)

// What the next call of this name is to answer: 0 where nothing is wrong.
static cl_int fault(const char *call) {
    static struct { char call[16]; int number, code; } wanted;
    static bool is_read, has_faulted;
    static struct { const char *call; int count; } counts[8];
    if (!is_read) {
        const char *text = getenv("PRETEND_FAULT");
        is_read = true;
        if (text && sscanf(text, "%15[a-z]:%d:%d", wanted.call, &wanted.number, &wanted.code) != 3) abort();
    }
    if (!*wanted.call) return 0;
    const bool waits = !strcmp(call, "finish") || !strcmp(call, "read") || !strcmp(call, "write");
    if (has_faulted && waits) return wanted.code;
    if (strcmp(call, wanted.call)) return 0;
    int at = 0;
    while (counts[at].call && strcmp(counts[at].call, call)) at++;
    counts[at].call = call;
    if (++counts[at].count != wanted.number) return 0;
    if (strcmp(call, "kernel")) return wanted.code;
    has_faulted = true;
    return 0;
}
#define FAIL_IF_WANTED(call) do { cl_int code = fault(call); if (code) return code; } while (0)

// MARK: Answers

static cl_int answer(const void *value, size_t length, size_t capacity, void *to, size_t *size) {
    if (size) *size = length;
    if (to && capacity < length) return CL_INVALID_VALUE;
    if (to) memcpy(to, value, length);
    return CL_SUCCESS;
}
#define ANSWER_TEXT(text) return answer(text, strlen(text) + 1, capacity, value, size)
#define ANSWER(type, number) do { type it = number; return answer(&it, sizeof it, capacity, value, size); } while (0)

static cl_int get_platform_ids(cl_uint capacity, cl_platform_id *platforms, cl_uint *count) {
    if (count) *count = 1;
    if (platforms && capacity) *platforms = &the_platform;
    return CL_SUCCESS;
}

static cl_int get_platform_info(cl_platform_id platform, cl_platform_info what, size_t capacity, void *value, size_t *size) {
    switch (what) {
    case CL_PLATFORM_PROFILE: ANSWER_TEXT("FULL_PROFILE");
    case CL_PLATFORM_NAME: ANSWER_TEXT("NVIDIA CUDA");
    case CL_PLATFORM_VENDOR: ANSWER_TEXT("NVIDIA Corporation");
    case CL_PLATFORM_VERSION: ANSWER_TEXT("OpenCL 3.0 CUDA 13.0.0");
    case CL_PLATFORM_EXTENSIONS: ANSWER_TEXT("cl_khr_icd cl_nv_compiler_options");
    case CL_PLATFORM_ICD_SUFFIX_KHR: ANSWER_TEXT("NV");
    }
    return CL_INVALID_VALUE;
}

static cl_int get_device_ids(cl_platform_id platform, cl_device_type type, cl_uint capacity, cl_device_id *devices,
                             cl_uint *count) {
    if (getenv("PRETEND_NO_DEVICE")) return CL_DEVICE_NOT_FOUND;
    if (count) *count = 1;
    if (devices && capacity) *devices = &the_device;
    return CL_SUCCESS;
}

static cl_int get_device_info(cl_device_id device, cl_device_info what, size_t capacity, void *value, size_t *size) {
    switch (what) {
    case CL_DEVICE_NAME: ANSWER_TEXT("NVIDIA H100 80GB HBM3");
    case CL_DEVICE_VENDOR: ANSWER_TEXT("NVIDIA Corporation");
    case CL_DEVICE_VERSION: ANSWER_TEXT("OpenCL 3.0 CUDA");
    case CL_DRIVER_VERSION: ANSWER_TEXT("580.0-pretended");
    case CL_DEVICE_EXTENSIONS: ANSWER_TEXT("cl_khr_fp64 cl_khr_icd cl_nv_compiler_options cl_nv_pragma_unroll");
    case CL_DEVICE_TYPE: ANSWER(cl_device_type, CL_DEVICE_TYPE_GPU);
    case CL_DEVICE_GLOBAL_MEM_SIZE: ANSWER(cl_ulong, MEMORY_BYTES);
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE: ANSWER(cl_ulong, LARGEST_ALLOCATION);
    case CL_DEVICE_LOCAL_MEM_SIZE: ANSWER(cl_ulong, LOCAL_BYTES);
    case CL_DEVICE_MAX_COMPUTE_UNITS: ANSWER(cl_uint, 132);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE: ANSWER(size_t, LARGEST_GROUP);
    case CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS: ANSWER(cl_uint, 3);
    case CL_DEVICE_MAX_WORK_ITEM_SIZES: return answer(largest_local, sizeof largest_local, capacity, value, size);
    case CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT:
    case CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT: ANSWER(cl_uint, 1);
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN: ANSWER(cl_uint, 8 * ALIGNMENT);
    // CL_DEVICE_ATOMIC_FENCE_CAPABILITIES: relaxed, acquiring and releasing, within a work-group, as NVIDIA's says.
    case 0x1064: ANSWER(cl_ulong, 1 << 0 | 1 << 1 | 1 << 4);
    case CL_DEVICE_AVAILABLE: ANSWER(cl_bool, CL_TRUE);
    }
    LINE("wrong: clGetDeviceInfo is asked for %x, which this driver does not know", what);
    return CL_INVALID_VALUE;
}

// MARK: Contexts, queues, events

static cl_context create_context(const cl_context_properties *properties, cl_uint count, const cl_device_id *devices,
                                 void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *data,
                                 cl_int *status) {
    *status = CL_SUCCESS;
    return NEW(Context);
}

static cl_command_queue create_queue(cl_context context, cl_device_id device, cl_command_queue_properties properties,
                                     cl_int *status) {
    *status = CL_SUCCESS;
    return NEW(Queue);
}

static cl_int release_context(cl_context context) { return free(context), CL_SUCCESS; }
static cl_int release_queue(cl_command_queue queue) { return free(queue), CL_SUCCESS; }
static cl_int release_event(cl_event event) { return free(event), CL_SUCCESS; }
static cl_int flush(cl_command_queue queue) { return LINE("flush"), CL_SUCCESS; }

static cl_int finish(cl_command_queue queue) {
    LINE("finish");
    return fault("finish");
}

static cl_int wait_for_events(cl_uint count, const cl_event *events) { return fault("finish"); }

static cl_int get_event_profiling_info(cl_event event, cl_profiling_info what, size_t capacity, void *value, size_t *size) {
    ANSWER(cl_ulong, event->start + (what == CL_PROFILING_COMMAND_END ? 1000 : 0));
}

// MARK: Memory

static cl_mem create_buffer(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *status) {
    LINE("allocate %zu", size);
    *status = fault("allocate");
    if (!*status && size > LARGEST_ALLOCATION) *status = CL_INVALID_BUFFER_SIZE;
    if (!*status && allocated + size > MEMORY_BYTES) *status = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    if (*status) return NULL;
    allocated += size;
    Memory *memory = NEW(Memory);
    memory->number = ++buffers;
    memory->size = size;
    // Pages that are never touched take no memory.
    memory->bytes = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory->bytes == MAP_FAILED) abort();
    if (flags & CL_MEM_COPY_HOST_PTR) memcpy(memory->bytes, host, size);
    return memory;
}

static cl_mem create_sub_buffer(cl_mem whole, cl_mem_flags flags, cl_buffer_create_type type, const void *region,
                                cl_int *status) {
    const cl_buffer_region *part = region;
    *status = CL_SUCCESS;
    if (whole->whole) *status = WRONG(CL_INVALID_MEM_OBJECT, "a part of a part");
    if (part->origin % ALIGNMENT) *status = WRONG(CL_MISALIGNED_SUB_BUFFER_OFFSET, "a part at %zu", part->origin);
    if (part->origin + part->size > whole->size || !part->size)
        *status = WRONG(CL_INVALID_VALUE, "a part of %zu bytes at %zu of %zu", part->size, part->origin, whole->size);
    if (*status) return NULL;
    Memory *memory = NEW(Memory);
    *memory = (Memory){&calls, ++buffers, part->size, whole->bytes + part->origin, whole};
    return memory;
}

static cl_int release_memory(cl_mem memory) {
    if (!memory->whole) {
        munmap(memory->bytes, memory->size);
        allocated -= memory->size;
    }
    return free(memory), CL_SUCCESS;
}

static cl_int check_range(const char *call, Memory *memory, size_t offset, size_t size) {
    if (offset + size <= memory->size) return CL_SUCCESS;
    return WRONG(CL_INVALID_VALUE, "%s of %zu bytes at %zu of %zu", call, size, offset, memory->size);
}
#define CHECK_RANGE(...) do { cl_int code = check_range(__VA_ARGS__); if (code) return code; } while (0)

static cl_int read_buffer(cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t offset, size_t size, void *to,
                          cl_uint count, const cl_event *waits, cl_event *event) {
    LINE("read %zu", size);
    CHECK_RANGE("a read", memory, offset, size);
    FAIL_IF_WANTED("read");
    return memcpy(to, memory->bytes + offset, size), CL_SUCCESS;
}

static cl_event finished_event(void) {
    Event *event = NEW(Event);
    event->start = now;
    return event;
}

static cl_int write_buffer(cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t offset, size_t size,
                           const void *from, cl_uint count, const cl_event *waits, cl_event *event) {
    LINE("write %zu", size);
    CHECK_RANGE("a write", memory, offset, size);
    FAIL_IF_WANTED("write");
    if (event) *event = finished_event();
    return memcpy(memory->bytes + offset, from, size), CL_SUCCESS;
}

static void *map_buffer(cl_command_queue queue, cl_mem memory, cl_bool blocking, cl_map_flags flags, size_t offset,
                        size_t size, cl_uint count, const cl_event *waits, cl_event *event, cl_int *status) {
    *status = check_range("a map", memory, offset, size);
    if (!*status) *status = fault("read");
    return *status ? NULL : memory->bytes + offset;
}

static cl_int unmap(cl_command_queue queue, cl_mem memory, void *bytes, cl_uint count, const cl_event *waits,
                    cl_event *event) {
    return CL_SUCCESS;
}

static cl_int fill_buffer(cl_command_queue queue, cl_mem memory, const void *pattern, size_t pattern_size, size_t offset,
                          size_t size, cl_uint count, const cl_event *waits, cl_event *event) {
    LINE("fill %zu", size);
    CHECK_RANGE("a fill", memory, offset, size);
    if (offset % pattern_size || size % pattern_size) return WRONG(CL_INVALID_VALUE, "a fill of parts of a pattern");
    // Of a large one the first page is enough for who looks.
    for (size_t at = 0; at < size && at < 4096; at += pattern_size)
        memcpy(memory->bytes + offset + at, pattern, pattern_size);
    return CL_SUCCESS;
}

static cl_int copy_buffer(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset, size_t to_offset, size_t size,
                          cl_uint count, const cl_event *waits, cl_event *event) {
    LINE("copy %zu", size);
    CHECK_RANGE("a copy", from, from_offset, size);
    CHECK_RANGE("a copy", to, to_offset, size);
    return memcpy(to->bytes + to_offset, from->bytes + from_offset, size), CL_SUCCESS;
}

// MARK: Programs

static cl_program create_program(cl_context context, cl_uint count, const char **texts, const size_t *lengths,
                                 cl_int *status) {
    Program *program = NEW(Program);
    program->source = strdup(texts[0]);
    program->options = strdup("");
    program->number = ++programs;
    *status = CL_SUCCESS;
    return program;
}

static cl_int build_program(cl_program program, cl_uint count, const cl_device_id *devices, const char *options,
                            void(CL_CALLBACK *notify)(cl_program, void *), void *data) {
    free(program->options);
    program->options = strdup(options ? options : "");
    LINE("build %d %s", program->number, program->options);
    FAIL_IF_WANTED("build");
    if (getenv("PRETEND_NEEDS_COMPILER") && !dlopen("libnvidia-nvvm.so.4", RTLD_NOW)) return CL_BUILD_PROGRAM_FAILURE;
    return CL_SUCCESS;
}

static cl_int get_program_build_info(cl_program program, cl_device_id device, cl_program_build_info what, size_t capacity,
                                     void *value, size_t *size) {
    ANSWER_TEXT("");
}

// The binary of NVIDIA's programs is PTX. This one's has the source behind it, so that it can be loaded again.
static cl_int get_program_info(cl_program program, cl_program_info what, size_t capacity, void *value, size_t *size) {
    const char *const head = "// of a pretended driver\n.version 8.8\n.target sm_90, texmode_independent\n";
    const size_t length = strlen(head) + strlen(program->source);
    if (what == CL_PROGRAM_BINARY_SIZES) ANSWER(size_t, length);
    if (what != CL_PROGRAM_BINARIES) return CL_INVALID_VALUE;
    if (size) *size = sizeof(char *);
    if (value) memcpy(mempcpy(*(char **)value, head, strlen(head)), program->source, strlen(program->source));
    return CL_SUCCESS;
}

static cl_program create_program_with_binary(cl_context context, cl_uint count, const cl_device_id *devices,
                                             const size_t *lengths, const unsigned char **binaries, cl_int *statuses,
                                             cl_int *status) {
    char *text = strndup((const char *)binaries[0], lengths[0]);
    cl_program program = create_program(context, 1, (const char *[]){text}, NULL, status);
    free(text);
    *statuses = CL_SUCCESS;
    return program;
}

static cl_int release_program(cl_program program) { return CL_SUCCESS; }

// MARK: Kernels

static const struct { const char *name; size_t size; } types[] = {
    {"int", 4}, {"uint", 4}, {"float", 4}, {"int2", 8}, {"float2", 8}, {"float4", 16}, {"ulong", 8}, {"long", 8},
#define STRUCT(name) {#name, sizeof(name)}
    STRUCT(StepUniforms), STRUCT(LossScale), STRUCT(ConvolutionGeometry), STRUCT(PatchGeometry),
    STRUCT(FilterGradientGeometry), STRUCT(TiledGradientGeometry), STRUCT(WinogradGeometry), STRUCT(PoolGeometry),
    STRUCT(InputGeometry), STRUCT(SplitGeometry), STRUCT(LossSettings), STRUCT(UpdateSettings), STRUCT(GroupedGeometry),
    STRUCT(GroupRowsGeometry), STRUCT(ResizeGeometry), STRUCT(CropGeometry), STRUCT(BinaryLossSettings)};

// One parameter, such as `__global const float *restrict bias`, whose text is overwritten.
static Parameter parameter(char *text) {
    Parameter result = {.kind = BY_VALUE};
    const bool is_pointer = strchr(text, '*'), is_constant = strstr(text, "const");
    if (is_pointer) result.kind = strstr(text, "__local") ? LOCAL : is_constant ? IN : OUT;
    // The last word is the name, the one before it the type, of what is passed by value.
    for (char *word = strtok(text, " \t\n\\*"); word; word = strtok(NULL, " \t\n\\*")) {
        snprintf(result.type, sizeof result.type, "%s", result.name);
        snprintf(result.name, sizeof result.name, "%.63s", word);
    }
    if (is_pointer) result.size = sizeof(cl_mem);
    for (size_t at = 0; !is_pointer && at < sizeof types / sizeof *types; at++)
        if (!strcmp(types[at].name, result.type)) result.size = types[at].size;
    return result;
}

// Finds the kernel's declaration in the program's text, as far as it can be found without a preprocessor: macros that make
// kernels call them `name` and `name##_gradient`.
static void find_declaration(Kernel *kernel) {
    const char *best = NULL;
    size_t best_length = 0;
    for (const char *at = kernel->program->source; (at = strstr(at, "__kernel")); at++) {
        const char *name = strstr(at, "void ");
        const char *open = name ? strchr(name, '(') : NULL;
        if (!open) break;
        name += strlen("void ");
        const size_t length = open - name;
        if (length == strlen(kernel->name) && !strncmp(name, kernel->name, length)) {
            best = open;
            break;
        }
        const char *const suffix = !strncmp(name, "name##", 6) ? name + 6 : !strncmp(name, "name(", 5) ? open : NULL;
        const size_t tail = suffix ? open - suffix : 0;
        if (suffix && tail < strlen(kernel->name) && (!best || tail > best_length)
            && !strncmp(kernel->name + strlen(kernel->name) - tail, suffix, tail)) {
            best = open;
            best_length = tail;
        }
    }
    if (!best) return;
    char *text = strndup(best + 1, strcspn(best + 1, ")")), *rest = text;
    for (char *one; (one = strsep(&rest, ",")) && kernel->count < MOST_ARGUMENTS;)
        kernel->parameters[kernel->count++] = parameter(one);
    free(text);
    kernel->is_declared = true;
}

static cl_kernel create_kernel(cl_program program, const char *name, cl_int *status) {
    Kernel *kernel = NEW(Kernel);
    kernel->program = program;
    snprintf(kernel->name, sizeof kernel->name, "%s", name);
    find_declaration(kernel);
    *status = kernel->is_declared ? CL_SUCCESS : WRONG(CL_INVALID_KERNEL_NAME, "no kernel %s", name);
    if (!*status) return kernel;
    free(kernel);
    return NULL;
}

static cl_int get_kernel_info(cl_kernel kernel, cl_kernel_info what, size_t capacity, void *value, size_t *size) {
    ANSWER(cl_uint, kernel->count);
}

static cl_int release_kernel(cl_kernel kernel) { return free(kernel), CL_SUCCESS; }

static cl_int set_argument(cl_kernel kernel, cl_uint index, size_t size, const void *value) {
    if (index >= (cl_uint)kernel->count)
        return WRONG(CL_INVALID_ARG_INDEX, "%s has no argument %u", kernel->name, index);
    const Parameter *parameter = &kernel->parameters[index];
    Argument *argument = &kernel->arguments[index];
    const size_t wanted = parameter->kind == LOCAL ? size : parameter->size;
    if ((parameter->kind == LOCAL) != !value || !size)
        return WRONG(CL_INVALID_ARG_VALUE, "%s of %s: local memory or not", parameter->name, kernel->name);
    if (!wanted || size != wanted || (value && size > sizeof argument->bytes))
        return WRONG(CL_INVALID_ARG_SIZE, "%s of %s is a %s of %zu bytes, given %zu", parameter->name, kernel->name,
                     parameter->type, wanted, size);
    argument->is_set = true;
    argument->size = size;
    argument->memory = parameter->kind == IN || parameter->kind == OUT ? *(cl_mem *)value : NULL;
    if (value) memcpy(argument->bytes, value, size);
    return CL_SUCCESS;
}

static void say_argument(const Parameter *parameter, const Argument *argument) {
    say(" %s=", parameter->name);
    switch (parameter->kind) {
    case IN: say("in:%d:%zu", argument->memory->number, argument->memory->size); return;
    case OUT: say("out:%d:%zu", argument->memory->number, argument->memory->size); return;
    case LOCAL: say("local:%zu", argument->size); return;
    case BY_VALUE: break;
    }
    if (!strcmp(parameter->type, "float")) {
        say("%g", *(const float *)argument->bytes);
        return;
    }
    const bool is_number = argument->size == 4;
    if (!is_number) say("%s:", parameter->type);
    for (size_t at = 0; at < argument->size / 4; at++) say(at ? ",%d" : "%d", ((const int *)argument->bytes)[at]);
}

static cl_int check_launch(Kernel *kernel, cl_uint dimensions, const size_t *global, const size_t *local) {
    size_t group = 1, local_bytes = 0, argument_bytes = 0;
    const char *name = kernel->name;
    if (!local) return WRONG(CL_INVALID_WORK_GROUP_SIZE, "%s: the driver would choose the groups", name);
    for (cl_uint at = 0; at < dimensions; at++) {
        if (!global[at]) return WRONG(CL_INVALID_GLOBAL_WORK_SIZE, "%s: no work-items", name);
        if (!local[at] || global[at] % local[at])
            return WRONG(CL_INVALID_WORK_GROUP_SIZE, "%s: %zu are not groups of %zu", name, global[at], local[at]);
        if (local[at] > largest_local[at])
            return WRONG(CL_INVALID_WORK_ITEM_SIZE, "%s: %zu of dimension %u in a group", name, local[at], at);
        if (at > 0 && global[at] / local[at] > LARGEST_GRID)
            return WRONG(CL_INVALID_GLOBAL_WORK_SIZE, "%s: %zu groups along dimension %u", name, global[at] / local[at], at);
        group *= local[at];
    }
    if (group > LARGEST_GROUP) return WRONG(CL_INVALID_WORK_GROUP_SIZE, "%s: groups of %zu", name, group);
    for (int at = 0; at < kernel->count; at++) {
        if (!kernel->arguments[at].is_set)
            return WRONG(CL_INVALID_KERNEL_ARGS, "%s: %s is not set", name, kernel->parameters[at].name);
        if (kernel->parameters[at].kind == LOCAL) local_bytes += kernel->arguments[at].size;
        argument_bytes += kernel->parameters[at].size;
    }
    if (local_bytes > LOCAL_BYTES) return WRONG(CL_OUT_OF_RESOURCES, "%s: %zu bytes of local memory", name, local_bytes);
    if (argument_bytes > MOST_ARGUMENT_BYTES) return WRONG(CL_OUT_OF_RESOURCES, "%s: %zu bytes of arguments", name,
                                                           argument_bytes);
    return CL_SUCCESS;
}

static cl_int enqueue_kernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
                             const size_t *global, const size_t *local, cl_uint count, const cl_event *waits,
                             cl_event *event) {
    const cl_int status = check_launch(kernel, dimensions, global, local);
    if (status) return status;
    FAIL_IF_WANTED("enqueue");
    fault("kernel");
    say("launch %s of %d,", kernel->name, kernel->program->number);
    for (cl_uint at = 0; at < dimensions; at++) say(at ? "x%zu" : " %zu", global[at]);
    say(" in ");
    for (cl_uint at = 0; at < dimensions; at++) say(at ? "x%zu" : "%zu", local[at]);
    say(":");
    for (int at = 0; at < kernel->count; at++) say_argument(&kernel->parameters[at], &kernel->arguments[at]);
    say("\n");
    if (event) *event = finished_event();
    now += 1000;
    return CL_SUCCESS;
}

static cl_int enqueue_barrier(cl_command_queue queue, cl_uint count, const cl_event *waits, cl_event *event) {
    FAIL_IF_WANTED("enqueue");
    if (event) *event = finished_event();
    return CL_SUCCESS;
}

// MARK: What the loader takes

static cl_icd_dispatch calls = {
    .clGetPlatformIDs = get_platform_ids,
    .clGetPlatformInfo = get_platform_info,
    .clGetDeviceIDs = get_device_ids,
    .clGetDeviceInfo = get_device_info,
    .clCreateContext = create_context,
    .clReleaseContext = release_context,
    .clCreateCommandQueue = create_queue,
    .clReleaseCommandQueue = release_queue,
    .clFlush = flush,
    .clFinish = finish,
    .clCreateBuffer = create_buffer,
    .clCreateSubBuffer = create_sub_buffer,
    .clReleaseMemObject = release_memory,
    .clEnqueueReadBuffer = read_buffer,
    .clEnqueueWriteBuffer = write_buffer,
    .clEnqueueMapBuffer = map_buffer,
    .clEnqueueUnmapMemObject = unmap,
    .clEnqueueFillBuffer = fill_buffer,
    .clEnqueueCopyBuffer = copy_buffer,
    .clCreateProgramWithSource = create_program,
    .clCreateProgramWithBinary = create_program_with_binary,
    .clBuildProgram = build_program,
    .clGetProgramBuildInfo = get_program_build_info,
    .clGetProgramInfo = get_program_info,
    .clReleaseProgram = release_program,
    .clCreateKernel = create_kernel,
    .clGetKernelInfo = get_kernel_info,
    .clSetKernelArg = set_argument,
    .clReleaseKernel = release_kernel,
    .clEnqueueNDRangeKernel = enqueue_kernel,
    .clEnqueueBarrierWithWaitList = enqueue_barrier,
    .clWaitForEvents = wait_for_events,
    .clGetEventProfilingInfo = get_event_profiling_info,
    .clReleaseEvent = release_event,
};

cl_int clIcdGetPlatformIDsKHR(cl_uint capacity, cl_platform_id *platforms, cl_uint *count) {
    return get_platform_ids(capacity, platforms, count);
}

void *clGetExtensionFunctionAddress(const char *name) {
    if (!strcmp(name, "clIcdGetPlatformIDsKHR")) return clIcdGetPlatformIDsKHR;
    return strcmp(name, "clGetPlatformInfo") ? NULL : get_platform_info;
}
