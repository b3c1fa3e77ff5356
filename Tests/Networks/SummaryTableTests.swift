import ResinNetworks
import Testing

@Suite struct SummaryTableTests {
    @Test func ninsTableIsTheBooksWithMultiplyAdds() throws {
        var summary = try Network.nin().summary()
        summary.memory = NetworkSummary.Memory(
            batch: 1, inputBytes: 200_704, parametersBytes: 7_968_664, trainingBytes: 1_234_567_890,
            inferenceBytes: 12_345_678)
        #expect(
            summary.table() == """
                nin, input 1×224×224, 10 classes

                layer (type)             input shape  output shape  parameters  multiply-adds
                ─────────────────────────────────────────────────────────────────────────────
                0 (Sequential)             1×224×224      96×54×54      30,336     87,619,968
                  0.0 (Convolution2D)      1×224×224      96×54×54      11,712     33,872,256
                  0.1 (ReLU)                96×54×54      96×54×54           0              0
                  0.2 (Convolution2D)       96×54×54      96×54×54       9,312     26,873,856
                  0.3 (ReLU)                96×54×54      96×54×54           0              0
                  0.4 (Convolution2D)       96×54×54      96×54×54       9,312     26,873,856
                  0.5 (ReLU)                96×54×54      96×54×54           0              0
                1 (MaxPool2D)               96×54×54      96×26×26           0              0
                2 (Sequential)              96×26×26     256×26×26     746,240    503,939,072
                  2.0 (Convolution2D)       96×26×26     256×26×26     614,656    415,334,400
                  2.1 (ReLU)               256×26×26     256×26×26           0              0
                  2.2 (Convolution2D)      256×26×26     256×26×26      65,792     44,302,336
                  2.3 (ReLU)               256×26×26     256×26×26           0              0
                  2.4 (Convolution2D)      256×26×26     256×26×26      65,792     44,302,336
                  2.5 (ReLU)               256×26×26     256×26×26           0              0
                3 (MaxPool2D)              256×26×26     256×12×12           0              0
                4 (Sequential)             256×12×12     384×12×12   1,180,800    169,869,312
                  4.0 (Convolution2D)      256×12×12     384×12×12     885,120    127,401,984
                  4.1 (ReLU)               384×12×12     384×12×12           0              0
                  4.2 (Convolution2D)      384×12×12     384×12×12     147,840     21,233,664
                  4.3 (ReLU)               384×12×12     384×12×12           0              0
                  4.4 (Convolution2D)      384×12×12     384×12×12     147,840     21,233,664
                  4.5 (ReLU)               384×12×12     384×12×12           0              0
                5 (MaxPool2D)              384×12×12       384×5×5           0              0
                6 (Dropout)                  384×5×5       384×5×5           0              0
                7 (Sequential)               384×5×5        10×5×5      34,790        869,000
                  7.0 (Convolution2D)        384×5×5        10×5×5      34,570        864,000
                  7.1 (ReLU)                  10×5×5        10×5×5           0              0
                  7.2 (Convolution2D)         10×5×5        10×5×5         110          2,500
                  7.3 (ReLU)                  10×5×5        10×5×5           0              0
                  7.4 (Convolution2D)         10×5×5        10×5×5         110          2,500
                  7.5 (ReLU)                  10×5×5        10×5×5           0              0
                8 (GlobalAveragePool2D)       10×5×5            10           0              0
                ─────────────────────────────────────────────────────────────────────────────
                total                                                1,992,166    762,297,352
                trainable parameters                                 1,992,166

                memory, batch 1        MB
                ─────────────────────────
                input                0.20
                parameters           7.97
                training         1,234.57
                inference           12.35
                """)
    }

    @Test func runningStatisticsAreNotTrained() throws {
        let network = Network(input: ImageShape(channels: 1, side: 28), classes: 10) {
            Sequential {
                Convolution2D(32, kernel: 5)
                BatchNorm()
            }
            GlobalAveragePool2D()
            Dense(10)
        }
        #expect(
            try network.summary().table() == """
                network, input 1×28×28, 10 classes

                layer (type)             input shape  output shape  parameters  multiply-adds
                ─────────────────────────────────────────────────────────────────────────────
                0 (Sequential)               1×28×28      32×24×24         896        460,800
                  0.0 (Convolution2D)        1×28×28      32×24×24         832        460,800
                  0.1 (BatchNorm)           32×24×24      32×24×24          64              0
                1 (GlobalAveragePool2D)     32×24×24            32           0              0
                2 (Dense)                         32            10         330            320
                ─────────────────────────────────────────────────────────────────────────────
                total                                                    1,226        461,120
                trainable parameters                                     1,226
                running statistics                                          64
                """)
    }
}
