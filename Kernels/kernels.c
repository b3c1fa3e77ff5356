#include "ResinKernels.h"
const char *kernel_source(const char *name) { return 0; }
