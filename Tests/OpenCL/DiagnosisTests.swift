import Foundation
import ResinOpenCL
import Testing

@Suite("What is said of drivers that cannot be used")
final class DiagnosisTests {
    private let path: String

    init() throws {
        var template = Array("/tmp/resin-drivers-XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    private func write(_ text: String, to name: String) throws {
        try text.write(toFile: path + "/" + name, atomically: false, encoding: .utf8)
    }

    private func search(_ environment: [String: String] = [:]) -> InstalledDriver.Search {
        InstalledDriver.search(environment: environment, defaultFolder: path)
    }

    @Test("A folder's .icd files name libraries, whichever variable names the folder or the file")
    func found() throws {
        try write("libone.so.1\n# more\n", to: "one.icd")
        try write("/lib/two.so", to: "two.icd")
        try write("libthree.so", to: "three.txt")
        let one = InstalledDriver(origin: path + "/one.icd", library: "libone.so.1")
        let two = InstalledDriver(origin: path + "/two.icd", library: "/lib/two.so")
        #expect(search().drivers == [one, two] && search().problems.isEmpty)
        func other(_ environment: [String: String]) -> [InstalledDriver] {
            InstalledDriver.search(environment: environment, defaultFolder: "/nowhere").drivers
        }
        #expect(other(["OCL_ICD_VENDORS": path]) == [one, two])
        #expect(other(["OPENCL_VENDOR_PATH": path]) == [one, two])
        #expect(other(["OCL_ICD_VENDORS": path + "/two.icd"]) == [two])
        #expect(other(["OCL_ICD_VENDORS": "one.icd", "OPENCL_VENDOR_PATH": path]) == [one])
        let library = InstalledDriver(origin: "OCL_ICD_VENDORS", library: "libone.so.1")
        #expect(other(["OCL_ICD_VENDORS": "libone.so.1"]) == [library])
        let named = other(["OCL_ICD_FILENAMES": "a.so:\(path)/two.icd", "OCL_ICD_VENDORS": path])
        #expect(named.map(\.library) == ["a.so", "/lib/two.so", "libone.so.1", "/lib/two.so"])
    }

    @Test("A place without drivers is named, with the variable that names it")
    func nothing() throws {
        #expect(search().problems == ["\(path) has no .icd file: no driver is installed"])
        #expect(
            search(["OCL_ICD_VENDORS": "/nowhere"]).problems
                == ["OCL_ICD_VENDORS names '/nowhere', which is not there: no driver is installed"])
    }

    @Test("A file that names nothing is said to, and where the loader would crash or hang it is not asked")
    func badFiles() throws {
        try write("", to: "a.icd")
        try write("lib\u{1B}[31m.so\n", to: "b.icd")
        #expect(symlink("nowhere", path + "/c.icd") == 0)
        #expect(mkdir(path + "/d.icd", 0o700) == 0)
        let problems = search().problems
        #expect(problems.count == 4 && search().drivers.isEmpty && !search().holdsTrap)
        for (name, problem) in zip("abcd", problems) { #expect(problem.hasPrefix("\(path)/\(name).icd ")) }
        #expect(problems[2].hasSuffix("cannot be read: No such file or directory"))
        for trap in ["\0", nil] {
            if let trap { try write(trap, to: "e.icd") } else { #expect(mkfifo(path + "/e.icd", 0o600) == 0) }
            #expect(search().holdsTrap && search().problems.last?.contains("e.icd") == true)
            try FileManager.default.removeItem(atPath: path + "/e.icd")
        }
    }

    @Test("A library that does not load, or is no driver, is told of in the linker's words")
    func libraries() {
        func failure(_ library: String) -> String? {
            InstalledDriver(origin: "x.icd", library: library).failure()
        }
        #expect(
            failure("libnothere.so.3")
                == "cannot be loaded: libnothere.so.3: cannot open shared object file: No such file or directory"
        )
        #expect(failure("libz.so.1") == "is no OpenCL driver: it has no clIcdGetPlatformIDsKHR")
    }

    @Test("PoCL keeps the cache folder that it can make, or gets one that is this user's alone")
    func poclCache() throws {
        func place(_ environment: [String: String]) -> PoCLCache.Place {
            PoCLCache.place(environment: environment.merging(["TMPDIR": path]) { $1 })
        }
        #expect(place(["HOME": path]) == .own)
        #expect(FileManager.default.fileExists(atPath: path + "/.cache/pocl/kcache"))
        #expect(place(["HOME": "/proc", "XDG_CACHE_HOME": path]) == .own)
        #expect(place(["HOME": "/proc", "POCL_CACHE_DIR": path]) == .own)

        let other = path + "/resin-pocl-\(geteuid())"
        for _ in 1...2 {
            guard case .made(other, let note) = place(["HOME": "/proc"]) else {
                Issue.record("no folder was made")
                return
            }
            #expect(note.contains("cannot make its cache folder /proc/.cache/pocl/kcache: "))
            let attributes = try FileManager.default.attributesOfItem(atPath: other)
            #expect(attributes[.posixPermissions] as? Int == 0o700)
        }
        #expect(chmod(other, 0o777) == 0)
        for environment in [["HOME": "/proc"], ["POCL_CACHE_DIR": "/proc/x"]] {
            guard case .none(let problem) = place(environment) else {
                Issue.record("a folder was taken that others can write, or that cannot be made")
                return
            }
            #expect(problem.contains("POCL_CACHE_DIR"))
        }
    }
}
