#pragma once

// OpenCL 1.2 is what every driver of interest offers (NVIDIA, AMD, Intel, PoCL) and all that Resin needs.
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <CL/cl_ext.h>  // CL_PLATFORM_NOT_FOUND_KHR

// Why no loader (libOpenCL) is there, in the dynamic linker's words; NULL where one is.
const char *opencl_loader_failure(void);
