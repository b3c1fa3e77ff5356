#pragma once

// From here on the worker threads of PoCL, where it is loaded, wait actively for a fifth of a millisecond before they
// sleep. Does nothing where there is no PoCL, and outside Linux.
void wait_actively_in_pocl(void);

// How often a worker has looked again instead of sleeping.
long active_waits(void);
