import Foundation
import ResinOpenCL
import Testing

@Test("Listing devices does not throw, whatever is installed")
func listing() throws {
    #expect(try Device.all() == Device.all())
}

@Test("The flat list goes through the platforms in order, and through each one's devices in order")
func flatListIndices() throws {
    let platforms = try Platform.all()
    #expect(platforms.map(\.index) == Array(platforms.indices))
    let expected = try platforms.flatMap { platform in
        try platform.devices().indices.map { [platform.index, $0] }
    }
    #expect(try Device.all().map { [$0.platformIndex, $0.deviceIndex] } == expected)
}

@Test("Without a driver the list is empty and nothing throws")
func withoutDriver() async {
    // In a process of its own, since a loader looks for drivers once.
    await #expect(processExitsWith: .exitCode(17)) {
        setenv("OCL_ICD_VENDORS", "/nonexistent", 1)
        setenv("OCL_ICD_FILENAMES", "", 1)
        let (platforms, devices) = (try Platform.all(), try Device.all())
        // oclgrind puts its simulator in front of every loader.
        let isSimulated = platforms.first?.name == "Oclgrind"
        exit(platforms.isEmpty && devices.isEmpty || isSimulated ? 17 : 1)
    }
}

@Test("A device says what it is", .needsDevice, arguments: devices)
func properties(device: Device) {
    #expect(!device.name.isEmpty && !device.platformName.isEmpty)
    #expect(device.version.hasPrefix("OpenCL "))
    #expect(device.memoryByteCount >= device.maximumAllocationByteCount)
    #expect(device.maximumAllocationByteCount > 0)
    #expect(device.computeUnits > 0 && device.maximumWorkGroupSize > 0)
    #expect(device.nativeFloatVectorWidth > 0 && device.preferredFloatVectorWidth > 0)
    #expect(device.subBufferAlignmentBytes > 0)
    #expect(device.localMemoryByteCount > 0)
    #expect(device.isAvailable)
}
