import COpenCL
import Foundation

/// Why OpenCL drivers that are installed give no device: what the loader keeps to itself.
public enum DriverDiagnosis {
    /// What was done so that a driver can be used; a sentence each. Known once platforms have been listed.
    public static var notes: [String] {
        if case .made(_, let note) = poclCache { [note] } else { [] }
    }

    /// What is wrong, a sentence each; none where every driver that is installed gives a device. The drivers are
    /// asked again, in this process.
    public static func problems() -> [String] {
        let platforms: [Platform]
        var problems: [String] = []
        do {
            platforms = try Platform.all()
        } catch {
            platforms = []
            problems.append("the platforms cannot be listed: \(error)")
        }
        if let failure = opencl_loader_failure() {
            return [
                "the OpenCL loader cannot be used: \(String(cString: failure)) (Debian: ocl-icd-libopencl1)"
            ]
        }
        problems += installed.problems
        for driver in installed.drivers {
            if let failure = driver.failure() {
                let subject =
                    driver.origin == driver.library
                    ? driver.library : "\(driver.origin) names \(driver.library), which"
                problems.append("\(subject) \(failure)" + circumstances(of: driver.library))
            }
        }
        for platform in platforms {
            let name = "the platform '\(platform.name)'"
            do {
                if try !platform.devices().isEmpty { continue }
                problems.append("\(name) lists no device" + circumstances(of: platform.name))
            } catch {
                problems.append("\(name) cannot list its devices: \(error)")
            }
        }
        if case .none(let problem) = poclCache { problems.append(problem) }
        return problems
    }

    /// What the loader finds, since it looks once.
    static let installed = InstalledDriver.search()

    /// PoCL's folder for kernels; the first question finds it, and tells PoCL.
    static let poclCache: PoCLCache.Place = {
        guard installed.drivers.contains(where: { $0.library.contains("pocl") }) else {
            return .own
        }
        let place = PoCLCache.place()
        if case .made(let folder, _) = place { setenv("POCL_CACHE_DIR", folder, 1) }
        return place
    }()

    /// What may be the cause where a program does not build and the compiler says nothing: NVIDIA's driver loads its
    /// compiler when it is first asked.
    static func silentCompiler(of device: Device) -> String {
        let start = OpenCLError.silentCompiler
        guard device.vendor.lowercased().contains("nvidia") else { return start }
        let name = "libnvidia-nvvm.so.4"
        if dlopen(name, RTLD_LAZY | RTLD_LOCAL) != nil { return "\(start), although \(name) can be loaded" }
        return "\(start): NVIDIA's driver compiles by \(name), which cannot be loaded: "
            + "\(String(cString: dlerror())); it is a part of the driver, and belongs beside libnvidia-opencl.so.1"
    }

    /// What may be the cause where a driver finds nothing: variables that hide devices, and the system's files
    /// of GPUs.
    private static func circumstances(of driver: String) -> String {
        let driver = driver.lowercased()
        var causes: [String] = []
        for (word, variable) in [
            ("pocl", "POCL_DEVICES"), ("portable", "POCL_DEVICES"), ("nvidia", "CUDA_VISIBLE_DEVICES"),
            ("amd", "ROCR_VISIBLE_DEVICES"), ("amd", "GPU_DEVICE_ORDINAL"), ("intel", "ZE_AFFINITY_MASK"),
        ] where driver.contains(word) {
            if let value = getenv(variable) {
                causes.append("\(variable)=\(String(cString: value)) says which devices there are")
            }
        }
        let nodes =
            ["/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd"] + (128..<136).map { "/dev/dri/renderD\($0)" }
        for node in nodes where access(node, R_OK | W_OK) != 0 && errno == EACCES {
            var status = stat()
            let group = stat(node, &status) == 0 ? getgrgid(status.st_gid) : nil
            let name = group.map { String(cString: $0.pointee.gr_name) } ?? "its owner's"
            causes.append("this user may not open \(node), but the group '\(name)' may")
        }
        if driver.contains("nvidia"), access("/dev/nvidiactl", F_OK) != 0 {
            causes.append("there is no /dev/nvidiactl: is the kernel's module loaded, or the GPU passed on?")
        }
        return causes.map { "; " + $0 }.joined()
    }
}
