import ArgumentParser
import Resin

@main
struct ResinCommand: ParsableCommand {}
