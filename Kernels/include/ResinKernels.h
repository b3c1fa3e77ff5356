#pragma once

/// The text of Kernels/NAME.cl, or NULL where there is no such file.
const char *kernel_source(const char *name);
