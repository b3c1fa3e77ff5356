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
