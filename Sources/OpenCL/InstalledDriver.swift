import Foundation

/// A driver as the OpenCL loader finds it: a shared library, named by an `.icd` file or by the environment.
package struct InstalledDriver: Equatable, Sendable {
    /// An `.icd` file, or the environment variable that names the library.
    package var origin: String
    package var library: String

    package init(origin: String, library: String) {
        self.origin = origin
        self.library = library
    }

    /// Where a loader looks, and what is wrong there.
    package struct Search: Equatable, Sendable {
        package var drivers: [InstalledDriver] = []
        /// A sentence each.
        package var problems: [String] = []
        /// Whether there is a file at which ocl-icd crashes, or waits for ever: it must not be asked.
        package var holdsTrap = false
    }

    /// Looks as ocl-icd does (`man 7 libOpenCL`): in the folder, the `.icd` file or the library that
    /// `OCL_ICD_VENDORS` or `OPENCL_VENDOR_PATH` names, else in /etc/OpenCL/vendors. What Khronos's loader takes
    /// from `OCL_ICD_FILENAMES` comes first.
    package static func search(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        defaultFolder: String = "/etc/OpenCL/vendors"
    ) -> Search {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        var search = Search()
        for file in (value("OCL_ICD_FILENAMES") ?? "").split(separator: ":").map(String.init) {
            search.add(file, from: "OCL_ICD_FILENAMES")
        }
        let folder = value("OPENCL_VENDOR_PATH") ?? defaultFolder
        guard let vendors = value("OCL_ICD_VENDORS") else {
            let isGiven = value("OPENCL_VENDOR_PATH") != nil
            search.addFiles(in: folder, from: isGiven ? "OPENCL_VENDOR_PATH" : nil)
            return search
        }
        var isFolder: ObjCBool = false
        let isThere = FileManager.default.fileExists(atPath: vendors, isDirectory: &isFolder)
        if isThere && isFolder.boolValue || !isThere && vendors.contains("/") && !vendors.hasSuffix(".icd") {
            search.addFiles(in: vendors, from: "OCL_ICD_VENDORS")
        } else if vendors.hasSuffix(".icd"), !vendors.contains("/"),
            FileManager.default.fileExists(atPath: folder + "/" + vendors)
        {
            search.add(folder + "/" + vendors, from: "OCL_ICD_VENDORS")
        } else {
            search.add(vendors, from: "OCL_ICD_VENDORS")
        }
        return search
    }

    /// Loads the library, as the loader has done before, and asks it for its platforms.
    ///
    /// - Returns: why it has none; nil where it has.
    package func failure() -> String? {
        guard let handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL) else {
            return "cannot be loaded: \(String(cString: dlerror()))"
        }
        typealias Lookup = @convention(c) (UnsafePointer<CChar>) -> UnsafeMutableRawPointer?
        typealias PlatformIDs =
            @convention(c) (UInt32, UnsafeMutableRawPointer?, UnsafeMutablePointer<UInt32>)
            -> Int32
        let name = "clIcdGetPlatformIDsKHR"
        var function = dlsym(handle, name)
        if function == nil, let lookup = dlsym(handle, "clGetExtensionFunctionAddress") {
            function = unsafeBitCast(lookup, to: Lookup.self)(name)
        }
        guard let function else { return "is no OpenCL driver: it has no \(name)" }
        var count: UInt32 = 0
        let status = unsafeBitCast(function, to: PlatformIDs.self)(0, nil, &count)
        if status == 0 && count > 0 { return nil }
        let code = OpenCLError(code: status, call: name).codeName
        return "finds nothing that it could drive" + (status == 0 ? "" : " (\(code), \(status))")
    }
}

extension InstalledDriver.Search {
    /// - Parameter variable: the environment variable that names the folder, if one does.
    fileprivate mutating func addFiles(in folder: String, from variable: String?) {
        let subject = variable.map { "\($0) names '\(folder)', which" } ?? folder
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) else {
            problems.append("\(subject) is not there: no driver is installed")
            return
        }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            problems.append("\(subject) cannot be listed: its permissions do not allow it")
            return
        }
        let files = names.filter { $0.hasSuffix(".icd") }.sorted()
        if files.isEmpty { problems.append("\(subject) has no .icd file: no driver is installed") }
        for file in files { add(folder + "/" + file, from: variable) }
    }

    /// An `.icd` file, or a library that `variable` names.
    fileprivate mutating func add(_ path: String, from variable: String?) {
        guard path.hasSuffix(".icd") else {
            drivers.append(InstalledDriver(origin: variable ?? path, library: path))
            return
        }
        // Non-blocking: a named pipe would otherwise be waited for.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            problems.append("\(path) cannot be read: \(String(cString: strerror(errno)))")
            return
        }
        defer { close(descriptor) }
        var status = stat()
        let kind = fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : 0
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = kind == S_IFREG ? max(read(descriptor, &bytes, bytes.count), 0) : 0
        let line = bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }
        let library = String(decoding: line, as: UTF8.self)
        if !line.isEmpty, library.unicodeScalars.allSatisfy({ $0.value >= 32 && $0.value != 127 }) {
            drivers.append(InstalledDriver(origin: path, library: library))
            return
        }
        var problem = "\(path) names no library: its first line must be a driver's file, and nothing else"
        if kind != S_IFREG && kind != S_IFDIR || line.first == 0 {
            holdsTrap = true
            problem += "; the loader cannot cope with that, and was not asked for any driver: remove the file"
        }
        problems.append(problem)
    }
}
