// swift-tools-version: 6.1
import PackageDescription

/// One target a folder of `Sources`, named with the prefix that keeps it from colliding with a user's
/// own module; `dependencies` state the whole of what a folder may import (`make layers` checks it).
func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: "Resin\(name)", dependencies: dependencies, path: "Sources/\(name)")
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)", exclude: exclude,
        resources: resources)
}

let package = Package(
    name: "Resin",
    products: [
        .library(name: "Resin", targets: ["Resin"]),
        .library(name: "ResinOpenCL", targets: ["ResinOpenCL"]),
        .library(name: "CActiveWait", targets: ["CActiveWait"]),
        .executable(name: "resin", targets: ["ResinCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.30.0"),
    ],
    targets: [
        .target(name: "CActiveWait", path: "Sources/CActiveWait"),
        .target(name: "COpenCL", path: "Sources/COpenCL"),
        .systemLibrary(
            name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CImageCodecs", path: "Sources/CImageCodecs"),
        .target(name: "ResinKernels", path: "Kernels"),

        // Generated from the .proto files in it (`make protobuf`).
        .target(
            name: "ResinProtobuf", dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")],
            path: "Sources/Protobuf", exclude: ["onnx.proto", "tensorboard.proto"]),
        module("OpenCL", ["COpenCL"]),
        module("Tensor", []),
        module("Dataset", ["ResinTensor", "CZlib", "CImageCodecs"]),
        module("Graph", ["ResinTensor"]),
        module("Networks", ["ResinGraph", "ResinTensor"]),
        module("Plan", ["ResinGraph", "ResinTensor"]),
        module("Cases", ["ResinPlan", "ResinGraph", "ResinTensor"]),
        module("Reference", ["ResinPlan", "ResinGraph", "ResinTensor"]),
        module("Device", ["ResinPlan", "ResinGraph", "ResinTensor", "ResinOpenCL", "ResinKernels"]),
        module(
            "Training",
            [
                "ResinPlan", "ResinNetworks", "ResinDataset", "ResinGraph", "ResinTensor", "ResinProtobuf",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]),
        module(
            "Interchange",
            [
                "ResinTraining", "ResinNetworks", "ResinGraph", "ResinTensor", "ResinProtobuf",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]),
        .target(
            name: "Resin",
            dependencies: [
                "ResinInterchange", "ResinTraining", "ResinDevice", "ResinReference", "ResinCases",
                "ResinPlan", "ResinNetworks",
                "ResinDataset", "ResinGraph", "ResinTensor", "ResinOpenCL",
            ],
            path: "Sources/Resin"),
        .executableTarget(
            name: "ResinCommand",
            dependencies: [
                "Resin", "CActiveWait",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/ResinCommand"),

        // Programs to read and to copy from, which the tests run.
        .executableTarget(name: "ExamplePredict", dependencies: ["Resin"], path: "Examples/Predict"),
        .executableTarget(name: "ExampleOwnLoop", dependencies: ["Resin"], path: "Examples/OwnLoop"),

        .target(name: "ResinFixtures", dependencies: ["CZlib"], path: "Tests/Fixtures"),
        .target(
            name: "ResinTestDevices", dependencies: ["ResinDevice", "ResinOpenCL", "ResinPlan"],
            path: "Tests/Devices"),
        tests("OpenCL", ["ResinOpenCL", "ResinTestDevices", "CActiveWait"]),
        // The executable is a dependency so that it is built before the tests that run it.
        tests(
            "Command",
            [
                "ResinTraining", "ResinDataset", "ResinTensor", "ResinCommand", "ResinFixtures",
                "ResinTestDevices", "CZlib",
                "ExamplePredict", "ExampleOwnLoop",
            ]),
        tests(
            "Prediction",
            [
                "Resin", "ResinFixtures", "ResinTestDevices", "ResinTraining", "ResinDataset",
                "ResinNetworks",
                "ResinPlan", "ResinGraph", "ResinTensor",
            ], exclude: ["Goldens"]),
        tests("Files", ["ResinTraining", "ResinTensor", "ResinFixtures"], exclude: ["Goldens"]),
        tests("Fuzz", ["Resin", "ResinCommand", "ResinReference", "ResinTraining", "ResinTensor"]),
        tests(
            "Operators",
            [
                "Resin", "ResinCases", "ResinTestDevices", "ResinReference", "ResinDevice", "ResinTraining",
                "ResinOpenCL", "ResinPlan", "ResinNetworks", "ResinGraph", "ResinTensor", "ResinKernels",
            ], exclude: ["Goldens", "README.md"]),
        tests("Dataset", ["ResinDataset", "ResinTensor", "ResinFixtures", "CZlib"], exclude: ["Goldens"]),
        tests(
            "Networks",
            [
                "ResinNetworks", "ResinTestDevices", "ResinReference", "ResinDevice", "ResinPlan",
                "ResinGraph", "ResinTensor",
            ], exclude: ["Goldens"]),
        tests(
            "Plan",
            [
                "Resin", "ResinTraining", "ResinDataset", "ResinPlan", "ResinNetworks", "ResinGraph",
                "ResinTensor",
            ]),
        tests(
            "Training",
            [
                "Resin", "ResinTestDevices", "ResinTraining", "ResinDataset", "ResinDevice", "ResinNetworks",
                "ResinOpenCL", "ResinPlan", "ResinGraph", "ResinTensor", "ResinProtobuf",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ], exclude: ["Goldens"]),
        tests(
            "Interchange",
            [
                "ResinInterchange", "ResinTraining", "ResinNetworks", "ResinGraph", "ResinTensor",
                "ResinProtobuf", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]),
        tests("Reference", ["ResinReference", "ResinPlan", "ResinGraph", "ResinTensor"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c2x
)
