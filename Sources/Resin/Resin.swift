@_exported import ResinTraining
