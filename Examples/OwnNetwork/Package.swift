// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "OwnNetwork",
    dependencies: [.package(name: "Resin", path: "../..")],
    targets: [
        .executableTarget(
            name: "OwnNetwork", dependencies: [.product(name: "Resin", package: "Resin")], path: ".",
            sources: ["main.swift"])
    ],
    swiftLanguageModes: [.v6]
)
