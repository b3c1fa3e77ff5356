#pragma once

#include <png.h>
#include <stdbool.h>
#include <turbojpeg.h>

// Whether the library is there; to be asked before any of its functions is called.
bool has_libpng(void);
bool has_turbojpeg(void);
