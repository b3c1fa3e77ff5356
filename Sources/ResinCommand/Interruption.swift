import Foundation
import Synchronization

/// Ctrl-C and a polite kill ask the training to save and stop; a second one ends the program at once.
enum Interruption {
    private static let received = Atomic<Int32>(0)

    static func listen() {
        // The mask is inherited: who starts this program from a thread that blocks signals, as those of
        // Swift's concurrency do, could otherwise not stop it.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                if Interruption.received.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
            }
        }
    }

    /// The signal that came, if one did.
    static var signalNumber: Int32? {
        let number = received.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }
}
