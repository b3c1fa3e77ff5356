extension Int {
    /// With a comma before every third digit from the right: "1,992,166".
    package var grouped: String {
        let digits = String(magnitude)
        var result = self < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { result.append(",") }
            result.append(digit)
        }
        return result
    }

    /// Of bytes: millions, with one decimal below a hundred, "1,234 MB".
    package var megabytes: String {
        let tenths = self / 100_000 + (self % 100_000 >= 50_000 ? 1 : 0)
        return tenths < 1000 ? "\(tenths / 10).\(tenths % 10) MB" : "\(((tenths + 5) / 10).grouped) MB"
    }
}
