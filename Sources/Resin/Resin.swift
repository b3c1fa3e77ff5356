// What `import Resin` gives: one import for networks, data and training, and the choice of a device.

@_exported import ResinDataset
@_exported import ResinGraph
@_exported import ResinInterchange
@_exported import ResinNetworks
@_exported import ResinPlan
@_exported import ResinTensor
@_exported import ResinTraining
