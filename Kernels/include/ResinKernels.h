const char *kernel_source(const char *name);
