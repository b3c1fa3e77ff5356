// A library is opened at the first use and not linked: a program that reads no images starts where the libraries are not
// installed. Each function that is called of it forwards to it under the library's own name. As in COpenCL they are hidden, so
// that the libraries do not bind to them.

#pragma once

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A list of functions is a macro of FUNCTION(return type, name, parameters, arguments).
#define LIBRARY_FIELD(type, name, parameters, arguments) __typeof__(name) *name;
#define LIBRARY_LOOKUP(type, name, parameters, arguments)                                                    \
    found = found && (library_functions.name = (__typeof__(name) *)dlsym(library, #name)) != NULL;
#define LIBRARY_TRAMPOLINE(type, name, parameters, arguments)                                                \
    type name parameters { return library_functions.name arguments; }

// Of the one library of a source file: `library_functions`, the functions, and `has_it`, which opens it.
#define LIBRARY(FUNCTIONS, has_it, ...)                                                                      \
    static struct {                                                                                          \
        bool is_loaded;                                                                                      \
        FUNCTIONS(LIBRARY_FIELD)                                                                             \
    } library_functions;                                                                                     \
    static void load_library(void) {                                                                         \
        const char *const names[] = {__VA_ARGS__};                                                           \
        void *library = NULL;                                                                                \
        for (size_t i = 0; !library && i < sizeof names / sizeof names[0]; i++)                              \
            library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);                                               \
        bool found = library != NULL;                                                                        \
        FUNCTIONS(LIBRARY_LOOKUP)                                                                            \
        library_functions.is_loaded = found;                                                                 \
    }                                                                                                        \
    bool has_it(void) {                                                                                      \
        static pthread_once_t once = PTHREAD_ONCE_INIT;                                                      \
        pthread_once(&once, load_library);                                                                   \
        return library_functions.is_loaded;                                                                  \
    }                                                                                                        \
    FUNCTIONS(LIBRARY_TRAMPOLINE)
