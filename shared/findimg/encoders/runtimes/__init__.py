"""What encoders share: runtimes such as LiteRT, ONNX and Keras, formats of weights, resizing. No encoder is here."""
