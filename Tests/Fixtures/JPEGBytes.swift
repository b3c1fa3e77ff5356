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
