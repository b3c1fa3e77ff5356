#pragma once

#include "KernelStructs.h"

/// The text of the file NAME.cl in a folder of Kernels, or NULL where there is no such file.
const char *kernel_source(const char *name);
