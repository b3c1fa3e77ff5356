// The OpenCL 1.2 functions that ResinOpenCL calls, each forwarding to the ICD loader (libOpenCL), which is
// opened at the first call and not linked. So a program
//   - builds where only the headers are installed, and
//   - starts where no OpenCL is: there every call answers CL_PLATFORM_NOT_FOUND_KHR, which is what a loader
//     without a driver answers too, and the caller sees an empty list of platforms.
//
// The functions carry OpenCL's own names, so that Swift calls what the specification describes, but they are
// hidden: they are not among the symbols that the program exports. Otherwise the loader and the drivers,
// which use these names themselves, could bind to the trampolines and run in circles.

#define _GNU_SOURCE  // RTLD_DEFAULT
#pragma GCC visibility push(hidden)
#include "COpenCL.h"
#pragma GCC visibility pop

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// STATUS(name, parameters, arguments): a function that returns its status.
// OBJECT(type, name, parameters, arguments): one that returns a new object and its status in `status`.
#define ENTRY_POINTS(STATUS, OBJECT)                                                                         \
    STATUS(clGetPlatformIDs, (cl_uint capacity, cl_platform_id *platforms, cl_uint *count),                  \
           (capacity, platforms, count))                                                                     \
    STATUS(clGetPlatformInfo,                                                                                \
           (cl_platform_id platform, cl_platform_info what, size_t capacity, void *value, size_t *size),     \
           (platform, what, capacity, value, size))                                                          \
    STATUS(clGetDeviceIDs,                                                                                   \
           (cl_platform_id platform, cl_device_type type, cl_uint capacity, cl_device_id *devices,           \
            cl_uint *count),                                                                                 \
           (platform, type, capacity, devices, count))                                                       \
    STATUS(clGetDeviceInfo,                                                                                  \
           (cl_device_id device, cl_device_info what, size_t capacity, void *value, size_t *size),           \
           (device, what, capacity, value, size))                                                            \
                                                                                                             \
    OBJECT(cl_context, clCreateContext,                                                                      \
           (const cl_context_properties *properties, cl_uint count, const cl_device_id *devices,             \
            void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *data,               \
            cl_int *status),                                                                                 \
           (properties, count, devices, notify, data, status))                                               \
    STATUS(clReleaseContext, (cl_context context), (context))                                                \
                                                                                                             \
    OBJECT(cl_command_queue, clCreateCommandQueue,                                                           \
           (cl_context context, cl_device_id device, cl_command_queue_properties properties,                 \
            cl_int *status),                                                                                 \
           (context, device, properties, status))                                                            \
    STATUS(clFlush, (cl_command_queue queue), (queue))                                                       \
    STATUS(clFinish, (cl_command_queue queue), (queue))                                                      \
    STATUS(clReleaseCommandQueue, (cl_command_queue queue), (queue))                                         \
                                                                                                             \
    OBJECT(cl_mem, clCreateBuffer,                                                                           \
           (cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *status),                \
           (context, flags, size, host, status))                                                             \
    OBJECT(cl_mem, clCreateSubBuffer,                                                                        \
           (cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type, const void *region,               \
            cl_int *status),                                                                                 \
           (buffer, flags, type, region, status))                                                            \
    STATUS(clReleaseMemObject, (cl_mem buffer), (buffer))                                                    \
    STATUS(clEnqueueReadBuffer,                                                                              \
           (cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t size,             \
            void *destination, cl_uint count, const cl_event *waits, cl_event *event),                       \
           (queue, buffer, blocking, offset, size, destination, count, waits, event))                        \
    STATUS(clEnqueueWriteBuffer,                                                                             \
           (cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t size,             \
            const void *source, cl_uint count, const cl_event *waits, cl_event *event),                      \
           (queue, buffer, blocking, offset, size, source, count, waits, event))                             \
    OBJECT(void *, clEnqueueMapBuffer,                                                                       \
           (cl_command_queue queue, cl_mem buffer, cl_bool blocking, cl_map_flags flags, size_t offset,      \
            size_t size, cl_uint count, const cl_event *waits, cl_event *event, cl_int *status),             \
           (queue, buffer, blocking, flags, offset, size, count, waits, event, status))                      \
    STATUS(clEnqueueUnmapMemObject,                                                                          \
           (cl_command_queue queue, cl_mem buffer, void *mapped, cl_uint count, const cl_event *waits,       \
            cl_event *event),                                                                                \
           (queue, buffer, mapped, count, waits, event))                                                     \
    STATUS(clEnqueueFillBuffer,                                                                              \
           (cl_command_queue queue, cl_mem buffer, const void *pattern, size_t pattern_size, size_t offset,  \
            size_t size, cl_uint count, const cl_event *waits, cl_event *event),                             \
           (queue, buffer, pattern, pattern_size, offset, size, count, waits, event))                        \
    STATUS(clEnqueueCopyBuffer,                                                                              \
           (cl_command_queue queue, cl_mem source, cl_mem destination, size_t source_offset,                 \
            size_t destination_offset, size_t size, cl_uint count, const cl_event *waits, cl_event *event),  \
           (queue, source, destination, source_offset, destination_offset, size, count, waits, event))       \
                                                                                                             \
    OBJECT(cl_program, clCreateProgramWithSource,                                                            \
           (cl_context context, cl_uint count, const char **strings, const size_t *lengths, cl_int *status), \
           (context, count, strings, lengths, status))                                                       \
    STATUS(clBuildProgram,                                                                                   \
           (cl_program program, cl_uint count, const cl_device_id *devices, const char *options,             \
            void(CL_CALLBACK *notify)(cl_program, void *), void *data),                                      \
           (program, count, devices, options, notify, data))                                                 \
    STATUS(clGetProgramBuildInfo,                                                                            \
           (cl_program program, cl_device_id device, cl_program_build_info what, size_t capacity,            \
            void *value, size_t *size),                                                                      \
           (program, device, what, capacity, value, size))                                                   \
    STATUS(clGetProgramInfo,                                                                                 \
           (cl_program program, cl_program_info what, size_t capacity, void *value, size_t *size),           \
           (program, what, capacity, value, size))                                                           \
    STATUS(clReleaseProgram, (cl_program program), (program))                                                \
                                                                                                             \
    OBJECT(cl_kernel, clCreateKernel, (cl_program program, const char *name, cl_int *status),                \
           (program, name, status))                                                                          \
    STATUS(clGetKernelInfo,                                                                                  \
           (cl_kernel kernel, cl_kernel_info what, size_t capacity, void *value, size_t *size),              \
           (kernel, what, capacity, value, size))                                                            \
    STATUS(clSetKernelArg, (cl_kernel kernel, cl_uint index, size_t size, const void *value),                \
           (kernel, index, size, value))                                                                     \
    STATUS(clReleaseKernel, (cl_kernel kernel), (kernel))                                                    \
    STATUS(clEnqueueNDRangeKernel,                                                                           \
           (cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,              \
            const size_t *global, const size_t *local, cl_uint count, const cl_event *waits,                 \
            cl_event *event),                                                                                \
           (queue, kernel, dimensions, offset, global, local, count, waits, event))                          \
                                                                                                             \
    STATUS(clEnqueueBarrierWithWaitList,                                                                     \
           (cl_command_queue queue, cl_uint count, const cl_event *waits, cl_event *event),                  \
           (queue, count, waits, event))                                                                     \
    STATUS(clWaitForEvents, (cl_uint count, const cl_event *events), (count, events))                        \
    STATUS(clGetEventProfilingInfo,                                                                          \
           (cl_event event, cl_profiling_info what, size_t capacity, void *value, size_t *size),             \
           (event, what, capacity, value, size))                                                             \
    STATUS(clReleaseEvent, (cl_event event), (event))

// The loader's functions, by name. `is_loaded` is false where no loader has them all: one older than
// OpenCL 1.2 counts as none.
#define STATUS_FIELD(name, parameters, arguments) __typeof__(name) *name;
#define OBJECT_FIELD(type, name, parameters, arguments) __typeof__(name) *name;
static struct {
    bool is_loaded;
    ENTRY_POINTS(STATUS_FIELD, OBJECT_FIELD)
} loader;

#define STATUS_LOOKUP(name, parameters, arguments)                                                           \
    loader.name = (__typeof__(name) *)dlsym(library, #name);                                                 \
    found = found && loader.name;
#define OBJECT_LOOKUP(type, name, parameters, arguments) STATUS_LOOKUP(name, parameters, arguments)
static bool look_up(void *library) {
    bool found = true;
    ENTRY_POINTS(STATUS_LOOKUP, OBJECT_LOOKUP)
    return found;
}

// The first name's failure is told: the second is a developer's.
static char failure[1024];

static void load(void) {
    // First what the process already has: `oclgrind` puts its simulator there with LD_PRELOAD, and a program
    // that links libOpenCL itself must meet the same library here.
    loader.is_loaded = look_up(RTLD_DEFAULT);
    const char *const names[] = {"libOpenCL.so.1", "libOpenCL.so"};
    for (size_t index = 0; !loader.is_loaded && index < sizeof names / sizeof *names; index += 1) {
        void *library = dlopen(names[index], RTLD_NOW | RTLD_LOCAL);
        loader.is_loaded = library && look_up(library);
        if (loader.is_loaded || *failure) continue;
        if (library) {
            snprintf(failure, sizeof failure, "%s: it lacks functions of OpenCL 1.2", names[index]);
        } else {
            snprintf(failure, sizeof failure, "%s", dlerror());
        }
    }
}

static bool is_loaded(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return loader.is_loaded;
}

#define STATUS_TRAMPOLINE(name, parameters, arguments)                                                       \
    cl_int name parameters { return is_loaded() ? loader.name arguments : CL_PLATFORM_NOT_FOUND_KHR; }
#define OBJECT_TRAMPOLINE(type, name, parameters, arguments)                                                 \
    type name parameters {                                                                                   \
        if (is_loaded()) return loader.name arguments;                                                       \
        if (status) *status = CL_PLATFORM_NOT_FOUND_KHR;                                                     \
        return NULL;                                                                                         \
    }
ENTRY_POINTS(STATUS_TRAMPOLINE, OBJECT_TRAMPOLINE)

const char *opencl_loader_failure(void) { return is_loaded() ? NULL : failure; }
