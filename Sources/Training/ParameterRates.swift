import ResinGraph

extension OptimizerSettings {
    /// Each parameter's rate and decay; nil where all are alike.
    package func rates(of parameters: [Parameter]) -> [Op.Optimizer.Rates]? {
        if headLearningRate == nil, layerDecay == 1, decays == .all { return nil }
        return zip(parameters, LayerDepths(of: parameters).depths).map { parameter, depth in
            let factor =
                depth == 0
                ? (headLearningRate ?? learningRate) / learningRate
                : (0..<depth).reduce(Float(1)) { factor, _ in factor * layerDecay }
            let isDecaying = decays == .all || parameter.role == .filter
            return Op.Optimizer.Rates(factor: factor, weightDecay: isDecaying ? weightDecay : 0)
        }
    }
}

/// How many blocks of layers lie between each parameter and the network's end.
package struct LayerDepths {
    /// By parameter: 0 for the classifier's.
    package let depths: [Int]
    /// The layer's name that sorts images into classes: the last one that has a filter.
    package let classifier: String

    /// A block is what the first component of names has in common. In torchvision's networks `features` and `classifier`
    /// hold everything: there it is the first two. What has no filter, such as a batch norm beside its convolution, belongs
    /// to the block before it.
    package init(of parameters: [Parameter]) {
        let classifier = (parameters.last { $0.role == .filter } ?? parameters.last)?.layer ?? ""
        func block(of parameter: Parameter) -> String {
            let components = parameter.name.split(separator: ".").dropLast()
            let isInside = components.first.map { ["features", "classifier"].contains($0) } ?? false
            return components.prefix(isInside ? 2 : 1).joined(separator: ".")
        }
        var places: [String: Int] = [:]
        var count = 0
        let withFilters = Set(parameters.filter { $0.role == .filter }.map(block))
        for parameter in parameters where parameter.layer != classifier {
            let name = block(of: parameter)
            guard places[name] == nil else { continue }
            if count == 0 || withFilters.contains(name) { count += 1 }
            places[name] = count
        }
        depths = parameters.map { parameter in
            parameter.layer == classifier ? 0 : count - places[block(of: parameter)]! + 1
        }
        self.classifier = classifier
    }
}

extension Parameter {
    /// The name of the layer that it is of.
    fileprivate var layer: String { name.split(separator: ".").dropLast().joined(separator: ".") }
}
