/// The address of an OpenCL object, which means nothing but to OpenCL.
///
/// Sendable because OpenCL 1.2 makes every call thread-safe (appendix A.2) except `clSetKernelArg` on one
/// kernel from two threads; `Kernel` is therefore the one class of this module that is not Sendable.
struct Handle: Hashable, @unchecked Sendable {
    let pointer: OpaquePointer
}
