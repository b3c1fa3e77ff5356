import ArgumentParser
import Foundation
import Synchronization

/// Ctrl-C, a polite kill and a terminal that goes away. Where nothing would be lost, the process ends at once,
/// whatever it is in, a driver's compiler too. Where a training is under way, they ask it to save and stop;
/// a second Ctrl-C or kill then ends the program at once.
enum Interruption {
    private static let received = Atomic<Int32>(0)
    private static let hasUnsavedWork = Atomic(false)

    /// To be asked by what may take longer than a second.
    static let shouldStop: @Sendable () -> Bool = { signalNumber != nil }

    static func listen() {
        var numbers = [SIGINT, SIGTERM]
        // `nohup` leaves it ignored for programs that are to outlive their terminal.
        if !isIgnored(SIGHUP) { numbers.append(SIGHUP) }
        // The mask is inherited: who starts this program from a thread that blocks signals, as those of
        // Swift's concurrency do, could otherwise not stop it.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in numbers { sigaddset(&signals, number) }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        for number in numbers {
            signal(number) { number in
                let order = Interruption.received.compareExchange(
                    expected: 0, desired: number, ordering: .sequentiallyConsistent)
                if Interruption.hasUnsavedWork.load(ordering: .sequentiallyConsistent) {
                    if order.exchanged { return }
                    // A shell and its terminal both send this one, and systemd sends it after the other.
                    if number == SIGHUP { return }
                }
                _exit(128 + number)
            }
        }
    }

    /// From here on, what was done would be lost if the process ended at once.
    static func protectWork() { hasUnsavedWork.store(true, ordering: .sequentiallyConsistent) }

    /// All is saved; throws where a signal came meanwhile.
    static func workIsSaved() throws {
        hasUnsavedWork.store(false, ordering: .sequentiallyConsistent)
        if signalNumber != nil { throw exitCode }
    }

    /// 128 and the number of the signal that came.
    static var exitCode: ExitCode { ExitCode(128 + (signalNumber ?? SIGINT)) }

    private static var signalNumber: Int32? {
        let number = received.load(ordering: .sequentiallyConsistent)
        return number == 0 ? nil : number
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        sigaction(number, nil, &action)
        return action.__sigaction_handler.sa_handler.map { unsafeBitCast($0, to: Int.self) }
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
