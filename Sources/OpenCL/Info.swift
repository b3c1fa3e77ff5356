import COpenCL

/// One `clGet…Info` call with its object and its question filled in: capacity, destination and size.
typealias InfoQuery = (Int, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int>?) -> cl_int

/// The answer to a question whose answer is one number; `zero` gives its type.
func info<Value: BitwiseCopyable>(_ call: StaticString, _ zero: Value, _ query: InfoQuery) throws -> Value {
    var value = zero
    try check(query(MemoryLayout<Value>.size, &value, nil), call)
    return value
}

/// The answer to a question whose answer is text.
func infoString(_ call: StaticString, _ query: InfoQuery) throws -> String {
    var byteCount = 0
    try check(query(0, nil, &byteCount), call)
    guard byteCount > 0 else { return "" }
    var bytes = [UInt8](repeating: 0, count: byteCount)
    try check(query(byteCount, &bytes, nil), call)
    // Drivers end their names with zeros, and some with spaces.
    let text = bytes.prefix { $0 != 0 }
    return String(decoding: text.trimming { $0 == UInt8(ascii: " ") }, as: UTF8.self)
}

extension BidirectionalCollection {
    fileprivate func trimming(_ isPadding: (Element) -> Bool) -> SubSequence {
        let start = drop(while: isPadding)
        guard let last = start.lastIndex(where: { !isPadding($0) }) else { return self[endIndex...] }
        return start[...last]
    }
}
