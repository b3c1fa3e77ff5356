#pragma once

#include "KernelStructs.h"

#include <stddef.h>

/// The text of the file NAME.cl in a folder of Kernels, or NULL where there is no such file.
const char *kernel_source(const char *name);

/// The text at a place in the list of all files, or NULL past its end.
const char *kernel_source_at(size_t place);
