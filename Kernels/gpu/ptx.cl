// Inline PTX, in front of the files that have some: NVIDIA's compiler knows `asm`; clang, which checks these files
// without a GPU, only the other spelling.
#ifdef __NV_CL_C_VERSION
#define PTX asm volatile
#else
#define PTX __asm__ volatile
#endif
