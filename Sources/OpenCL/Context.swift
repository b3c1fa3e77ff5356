import COpenCL

/// What buffers, programs and queues of one device live in.
public final class Context: Sendable {
    let handle: Handle
    public let device: Device

    public init(device: Device) throws {
        let properties: [cl_context_properties] = [
            cl_context_properties(CL_CONTEXT_PLATFORM), Int(bitPattern: device.platform.pointer), 0,
        ]
        handle = try create("clCreateContext", device: device) {
            var id: cl_device_id? = device.handle.pointer
            return clCreateContext(properties, 1, &id, nil, nil, $0)
        }
        self.device = device
    }

    deinit {
        release(clReleaseContext(handle.pointer), "clReleaseContext")
    }
}
