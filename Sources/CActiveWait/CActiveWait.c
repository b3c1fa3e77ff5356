// PoCL's workers sleep the moment they have nothing to do, and each kernel wakes them again. In a virtual machine that
// takes 30 to 50 µs, in which the first worker has done the second one's share of a small network's kernel. OpenMP's
// threads wait actively instead (GOMP_SPINCOUNT); PoCL has no such setting, so that it is done from outside:
//
// The program's own pthread_cond_wait stands before the C library's for every shared library it loads. On the condition
// variable of PoCL's pool it lets go of the mutex, pauses, takes it again and returns, as a wait may at any time
// ("spurious wakeups", IEEE 1003.1-2017, pthread_cond_wait); the worker looks for work and, without any, waits again.
// After LONGEST of that it sleeps. Every other wait is the C library's. The pool's variable is the one that lies in
// PoCL's own data; the events' lie on the heap.

#include "CActiveWait.h"

#if defined(__linux__) && !__has_feature(thread_sanitizer)
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
// The first version of the function, GLIBC_2.2.5, takes another form of the variable.
#define VERSION "GLIBC_2.3.2"
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("isb")
#define VERSION "GLIBC_2.17"
#else
#define PAUSE() ((void)0)
#define VERSION ""
#endif

enum { MOST_SEGMENTS = 8, PAUSES_A_PROCESSOR = 4, MOST_PAUSES = 256 };
static const int64_t LONGEST = 200'000;    // nanoseconds of active waiting
static const int64_t NO_WORK = 2'000;      // a worker that waits again so soon has found nothing to do

typedef int Wait(pthread_cond_t *, pthread_mutex_t *);

// PoCL's data; like `pauses` written once, before the count.
static struct { uintptr_t first, end; } segments[MOST_SEGMENTS];
static atomic_int segment_count;
// Between two looks of a worker: the more workers there are, the longer, since they all take one mutex.
static int pauses;
static atomic_long waits;

static bool belongs_to_pool(const pthread_cond_t *condition) {
    const uintptr_t at = (uintptr_t)condition;
    const int count = atomic_load_explicit(&segment_count, memory_order_acquire);
    for (int k = 0; k < count; k++)
        if (segments[k].first <= at && at < segments[k].end) return true;
    return false;
}

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

static Wait *library_wait(void) {
    static _Atomic(Wait *) found;
    Wait *wait = atomic_load(&found);
    if (!wait) {
        wait = (Wait *)dlvsym(RTLD_NEXT, "pthread_cond_wait", VERSION);
        if (!wait) wait = (Wait *)dlsym(RTLD_NEXT, "pthread_cond_wait");
        atomic_store(&found, wait);
    }
    return wait;
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
    static _Thread_local int64_t began, returned;
    if (!belongs_to_pool(condition)) return library_wait()(condition, mutex);
    const int64_t now = nanoseconds();
    if (now - returned > NO_WORK) began = now;
    if (now - began > LONGEST) {
        const int status = library_wait()(condition, mutex);
        returned = 0;
        return status;
    }
    pthread_mutex_unlock(mutex);
    for (int k = 0; k < pauses; k++) PAUSE();
    pthread_mutex_lock(mutex);
    atomic_fetch_add_explicit(&waits, 1, memory_order_relaxed);
    returned = nanoseconds();
    return 0;
}

static int note_segments(struct dl_phdr_info *library, size_t, void *count) {
    const char *slash = strrchr(library->dlpi_name, '/');
    if (!strstr(slash ? slash : library->dlpi_name, "pocl")) return 0;
    int *noted = count;
    for (int k = 0; k < library->dlpi_phnum && *noted < MOST_SEGMENTS; k++) {
        const ElfW(Phdr) *header = &library->dlpi_phdr[k];
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_W)) continue;
        segments[*noted].first = library->dlpi_addr + header->p_vaddr;
        segments[*noted].end = segments[*noted].first + header->p_memsz;
        ++*noted;
    }
    return 0;
}

void wait_actively_in_pocl(void) {
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&once);
    if (atomic_load(&segment_count) == 0) {
        const long wanted = PAUSES_A_PROCESSOR * sysconf(_SC_NPROCESSORS_ONLN);
        pauses = wanted < MOST_PAUSES ? (int)wanted : MOST_PAUSES;
        int count = 0;
        dl_iterate_phdr(note_segments, &count);
        atomic_store_explicit(&segment_count, count, memory_order_release);
    }
    pthread_mutex_unlock(&once);
}

long active_waits(void) { return atomic_load(&waits); }
#else
void wait_actively_in_pocl(void) {}
long active_waits(void) { return 0; }
#endif
