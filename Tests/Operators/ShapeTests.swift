import ResinCases
import ResinPlan
import Testing

@Suite struct ShapeTests {
    @Test("An operator's outputs have the shapes that the case states", arguments: OpCase.all)
    func shape(of opCase: OpCase) throws {
        let graph = try opCase.makeGraph()
        var results = graph.results.makeIterator()
        for output in opCase.outputs {
            guard case .value = output.place else { continue }
            let result = results.next()
            #expect(result.map(graph.shape(of:)) == output.shape)
        }
        #expect(results.next() == nil)
    }

    @Test("Element-wise neighbours run in the operator's own launch", arguments: OpCase.all)
    func launches(of opCase: OpCase) throws {
        let plan = Plan(try opCase.makeGraph())
        #expect(plan.graph.nodes.count { !$0.op.body.isView } == opCase.launches)
    }

    @Test("No two cases have the same name")
    func names() {
        let names = Dictionary(grouping: OpCase.all, by: \.name)
        #expect(names.filter { $0.value.count > 1 }.keys.sorted() == [])
    }
}
