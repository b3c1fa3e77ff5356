import Foundation

// Made by libjpeg-turbo's encoder.

/// 4×2, grey, quality 3: dark left, bright right.
public let greyJPEG = Array(
    Data(
        base64Encoded: """
            /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4R\
            DgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/wAALCAACAAQBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAB//EABoQAAAHA\
            AAAAAAAAAAAAAAAAAAEBgk4hLT/2gAIAQEAAD8AcG/IjoO/vMD/2Q==
            """)!)

/// 16×1, quality 95: the left half (200, 30, 90), the right half (10, 160, 240).
public let colourJPEG = Array(
    Data(
        base64Encoded: """
            /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJ\
            BwYGCAsICQoKCgoKBggLDAsKDAkKCgr/2wBDAQICAgICAgUDAwUKBwYHCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoK\
            CgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgr/wAARCAABABADAREAAhEBAxEB/8QAFAABAAAAAAAAAAAAAAAAAAAA\
            CP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/xAAWAQEBAQAAAAAAAAAAAAAAAAAJAwr/xAAUEQEAAAAAAAAAAAAAAAAA\
            AAAA/9oADAMBAAIRAxEAPwAvqFAJAgDLu//Z
            """)!)

/// 4×2, grey, progressive, quality 30: dark left, bright right.
public let progressiveJPEG = Array(
    Data(
        base64Encoded: """
            /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1td\
            hbWGkJ6jq62rZ4C8ybqmx5moq6T/wgALCAACAAQBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//aAAgBAQAAAAFv/8QA\
            FRABAQAAAAAAAAAAAAAAAAAAAzP/2gAIAQEAAQUCCX//xAAVEAEBAAAAAAAAAAAAAAAAAAAAAf/aAAgBAQAGPwKP/8QA\
            FRABAQAAAAAAAAAAAAAAAAAAsQD/2gAIAQEAAT8hW3//2gAIAQEAAAAQf//EABYQAAMAAAAAAAAAAAAAAAAAAABh8P/a\
            AAgBAQABPxCJj//Z
            """)!)

/// 8×24, grey, quality 90: rows of 40, 120 and 200, eight each, with a restart marker between.
public let restartJPEG = Array(
    Data(
        base64Encoded: """
            /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4R\
            DgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/wAALCAAYAAgBAREA/8QAFQABAQAAAAAAAAAAAAAAAAAACAX/xAAUEAEA\
            AAAAAAAAAAAAAAAAAAAA/90ABAAB/9oACAEBAAA/AAo//9CU/9FgP//Z
            """)!)

/// The same with bytes before its first restart marker that belong to nothing, as some cameras leave them.
public let extraneousJPEG: [UInt8] = {
    let marker = zip(restartJPEG, restartJPEG.dropFirst()).enumerated().first { $1 == (0xFF, 0xD0) }!.offset
    return restartJPEG[..<marker] + [UInt8](repeating: 0, count: 20) + restartJPEG[marker...]
}()

/// A grey JPEG of one value, 128, of any size, in some bytes a block: both of its Huffman codes are one bit, and all are zeros.
public func flatJPEG(height: Int, width: Int) -> [UInt8] {
    func segment(_ mark: UInt8, _ content: [UInt8]) -> [UInt8] {
        let length = content.count + 2
        return [0xFF, mark, UInt8(length >> 8), UInt8(length & 255)] + content
    }
    func code(_ table: UInt8) -> [UInt8] { [table, 1] + [UInt8](repeating: 0, count: 15) + [0] }
    let blocks = ((height + 7) / 8) * ((width + 7) / 8)
    let size = [height >> 8, height & 255, width >> 8, width & 255].map { UInt8($0) }
    return [0xFF, 0xD8] + segment(0xDB, [0] + [UInt8](repeating: 1, count: 64))
        + segment(0xC0, [8] + size + [1, 1, 0x11, 0]) + segment(0xC4, code(0x00)) + segment(0xC4, code(0x10))
        + segment(0xDA, [1, 1, 0, 0, 63, 0]) + [UInt8](repeating: 0, count: (2 * blocks + 7) / 8) + [
            0xFF, 0xD9,
        ]
}
