"""For each systematic mutant the smallest network that shows it. By tests/mutants/make_smallest.py.

Of the networks of `small.networks`; one that is equivalent is shown by none.
"""

# fmt: off
SMALLEST: dict[str, str] = {
    "dense input: by the weight untransposed":
        "x[1,2] -> dense(2) -> sse",
    "dense weight: transposed":
        "x[1,2] -> dense(2) -> sse",
    "dense input: upstream shifted":
        "x[1,1] -> dense(2) -> sse",
    "dense weight: missing":
        "x[1,1] -> dense(1) -> sse",
    "dense bias: one output alone":
        "x[1,1] -> dense(2) -> sse",
    "dense input: doubled with bias=false":
        "x[1,1] -> dense(1, bias=false) -> sse",
    "conv1d input: kernel the wrong way round":
        "x[1,1,2] -> conv1d(1, 2) -> sse",
    "conv1d input: doubled with stride=2":
        "x[1,1,1] -> conv1d(1, 1, stride=2) -> sse",
    "conv1d weight: transposed":
        "x[1,2,1] -> conv1d(1, 2, padding=1) -> sse",
    "conv1d weight: last window alone":
        "x[1,1,1] -> conv1d(1, 2, padding=1) -> sse",
    "conv1d weight: shifted":
        "x[1,1,2] -> conv1d(1, 2) -> sse",
    "conv1d input: doubled with dilation=2":
        "x[1,1,1] -> conv1d(1, 1, dilation=2) -> sse",
    "conv1d bias: halved":
        "x[1,1,1] -> conv1d(1, 1) -> sse",
    "conv2d input: kernel the wrong way round":
        "x[1,1,2,2] -> conv2d(1, 2) -> sse",
    "conv2d input: doubled with stride=2x1":
        "x[1,1,1,1] -> conv2d(1, 1, stride=2x1) -> sse",
    "conv2d weight: transposed":
        "x[1,1,2,2] -> conv2d(1, 2) -> sse",
    "conv2d weight: last window alone":
        "x[1,1,1,2] -> conv2d(1, 1) -> sse",
    "conv2d input: one output alone":
        "x[1,1,1,2] -> conv2d(1, 1) -> sse",
    "conv2d weight: last sample alone":
        "x[2,1,1,1] -> conv2d(1, 1) -> sse",
    "conv2d bias: halved":
        "x[1,1,1,1] -> conv2d(1, 1) -> sse",
    "conv2d input: doubled with padding=0x1":
        "x[1,1,1,1] -> conv2d(1, 1, padding=0x1) -> sse",
    "conv_transpose2d input: kernel the wrong way round":
        "x[1,1,1,1] -> conv_transpose2d(1, 2) -> sse",
    "conv_transpose2d input: doubled with stride=2":
        "x[1,1,1,1] -> conv_transpose2d(1, 1, stride=2) -> sse",
    "conv_transpose2d weight: transposed":
        "x[1,1,1,1] -> conv_transpose2d(1, 2) -> sse",
    "conv_transpose2d weight: last window alone":
        "x[1,1,1,2] -> conv_transpose2d(1, 1) -> sse",
    "conv_transpose2d input: shifted":
        "x[1,1,1,2] -> conv_transpose2d(1, 1) -> sse",
    "conv_transpose2d weight: of the sample before":
        "x[2,1,1,1] -> conv_transpose2d(1, 1) -> sse",
    "conv_transpose2d bias: last unit forgotten":
        "x[1,1,1,1] -> conv_transpose2d(2, 1) -> sse",
    "conv_transpose2d input: doubled with output_padding=0x1":
        "x[1,1,1,1] -> conv_transpose2d(1, 1, stride=2, output_padding=0x1) -> sse",
    "max_pool1d input: last window alone":
        "x[1,1,2] -> max_pool1d(padding=1) -> sse",
    "max_pool1d input: halved where windows overlap":
        "x[1,1,2] -> max_pool1d(stride=1) -> sse",
    "max_pool1d input: doubled at a tie":
        "x[1,1,2] -> max_pool1d -> sse",
    "max_pool1d input: NaN at zero":
        "x[1,1,1] -> max_pool1d(padding=1) -> sse",
    "max_pool1d input: doubled at batch 1":
        "x[1,1,1] -> max_pool1d(padding=1) -> sse",
    "max_pool1d input: doubled with kernel=3":
        "x[1,1,1] -> max_pool1d(kernel=3, padding=1) -> sse",
    "max_pool2d input: last window alone":
        "x[1,1,2,2] -> max_pool2d(padding=0x1) -> sse",
    "max_pool2d input: halved where windows overlap":
        "x[1,1,2,2] -> max_pool2d(stride=1) -> sse",
    "max_pool2d input: doubled at a tie":
        "x[1,1,1,2] -> max_pool2d(kernel=1x2) -> sse",
    "max_pool2d input: of the sample before":
        "x[2,1,2,2] -> max_pool2d -> sse",
    "max_pool2d input: slightly off":
        "x[1,1,1,2] -> max_pool2d(kernel=1x2) -> sse",
    "max_pool2d input: doubled with padding=0x1":
        "x[1,1,1,1] -> max_pool2d(kernel=1x2, padding=0x1) -> sse",
    "avg_pool1d input: last window alone":
        "x[1,1,2] -> avg_pool1d(padding=1) -> sse",
    "avg_pool1d input: not divided":
        "x[1,1,1] -> avg_pool1d(padding=1) -> sse",
    "avg_pool1d input: halved where windows overlap":
        "x[1,1,2] -> avg_pool1d(stride=1) -> sse",
    "avg_pool1d input: padding counted otherwise":
        "x[1,1,1] -> avg_pool1d(padding=1) -> sse",
    "avg_pool1d input: missing above zero":
        "x[1,1,1] -> avg_pool1d(padding=1) -> sse",
    "avg_pool1d input: negated":
        "x[1,1,1] -> avg_pool1d(padding=1) -> sse",
    "avg_pool1d input: doubled with stride=1":
        "x[1,1,2] -> avg_pool1d(stride=1) -> sse",
    "avg_pool2d input: last window alone":
        "x[1,1,2,2] -> avg_pool2d(padding=0x1) -> sse",
    "avg_pool2d input: not divided":
        "x[1,1,1,2] -> avg_pool2d(kernel=1x2) -> sse",
    "avg_pool2d input: halved where windows overlap":
        "x[1,1,2,2] -> avg_pool2d(stride=1) -> sse",
    "avg_pool2d input: padding counted otherwise":
        "x[1,1,2,2] -> avg_pool2d(padding=0x1) -> sse",
    "avg_pool2d input: missing above zero":
        "x[1,1,1,2] -> avg_pool2d(kernel=1x2) -> sse",
    "avg_pool2d input: upstream ignored":
        "x[1,1,1,2] -> avg_pool2d(kernel=1x2) -> sse",
    "avg_pool2d input: doubled with padding=0x1":
        "x[1,1,1,1] -> avg_pool2d(kernel=1x2, padding=0x1) -> sse",
    "global_avg_pool input: not divided":
        "x[1,1,2] -> global_avg_pool -> sse",
    "global_avg_pool input: doubled at width 1":
        "x[1,1,1] -> global_avg_pool -> sse",
    "global_avg_pool input: doubled below zero":
        "x[1,1,1] -> global_avg_pool -> sse",
    "flatten input: missing above zero":
        "x[1,1] -> flatten -> sse",
    "flatten input: doubled with start=0":
        "x[1,1] -> flatten(start=0) -> sse",
    "reshape input: NaN at zero":
        "x[1,1] -> reshape -> sse",
    "reshape input: doubled at zero":
        "x[1,1] -> reshape -> sse",
    "reshape input: doubled with shape=1x0":
        "x[1,1] -> reshape(shape=1x0) -> sse",
    "transpose input: not transposed back":
        "x[2,2] -> transpose -> sse",
    "transpose input: doubled at batch 1":
        "x[1,1] -> transpose -> sse",
    "transpose input: upstream ignored":
        "x[1,1] -> transpose -> sse",
    "transpose input: doubled with axis2=-2":
        "x[1,1] -> transpose(axis2=-2) -> sse",
    "slice input: upstream shifted":
        "x[1,2] -> slice -> sse",
    "slice input: missing above zero":
        "x[1,1] -> slice -> sse",
    "slice input: doubled with axis=-2":
        "x[1,1] -> slice(axis=-2) -> sse",
    "prelu input: upstream ignored":
        "x[1,1] -> prelu -> sse",
    "prelu weight: first sample alone":
        "x[2,1] -> prelu -> sse",
    "prelu input: doubled with per_channel=true":
        "x[1,1] -> prelu(per_channel=true) -> sse",
    "glu input: gate alone":
        "x[1,2] -> glu -> sse",
    "glu input: halves swapped":
        "x[1,2] -> glu -> sse",
    "glu input: missing":
        "x[1,2] -> glu -> sse",
    "glu input: halved":
        "x[1,2] -> glu -> sse",
    "glu input: doubled with axis=-2":
        "x[2,1] -> glu(axis=-2) -> sse",
    "swiglu input: gate alone":
        "x[1,2] -> swiglu -> sse",
    "swiglu input: halves swapped":
        "x[1,2] -> swiglu -> sse",
    "swiglu input: doubled at width 1":
        "x[1,2] -> swiglu -> sse",
    "swiglu input: doubled below zero":
        "x[1,2] -> swiglu -> sse",
    "swiglu input: doubled with axis=-2":
        "x[2,1] -> swiglu(axis=-2) -> sse",
    "logsumexp input: missing":
        "x[1,1] -> logsumexp -> sse",
    "logsumexp input: last unit forgotten":
        "x[1,2] -> logsumexp -> sse",
    "logsumexp input: doubled with axis=-2":
        "x[1,1] -> logsumexp(axis=-2) -> sse",
    "norm input: upstream ignored":
        "x[1,1] -> norm -> sse",
    "norm input: last unit forgotten":
        "x[1,2] -> norm -> sse",
    "norm input: doubled with axis=-2":
        "x[1,1] -> norm(axis=-2) -> sse",
    "rnn input 0: slope of the gates missing":
        "x[1,1,1] -> rnn(1) -> sse",
    "rnn input 0: first step alone":
        "x[1,2,1] -> rnn(1) -> sse",
    "rnn weight_ih: transposed":
        "x[1,1,2] -> rnn(2) -> sse",
    "rnn weight_ih: state by the weight untransposed":
        "x[1,2,1] -> rnn(2, output=last) -> sse",
    "rnn weight_ih: not passed back in time":
        "x[1,2,1] -> rnn(1, output=last) -> sse",
    "rnn weight_hh: transposed":
        "x[1,2,1] -> rnn(2, output=last) -> sse",
    "rnn weight_hh: last step alone":
        "x[1,2,1]; h0[1,1]; x -> rnn(h0, 1) -> sse",
    "rnn weight_hh: doubled with a second step":
        "x[1,2,1] -> rnn(1, output=last) -> sse",
    "rnn input 0: upstream ignored":
        "x[1,1,1] -> rnn(1) -> sse",
    "rnn input 1: slightly off":
        "x[1,1,1]; h0[1,1]; x -> rnn(h0, 1) -> sse",
    "rnn weight_ih: missing":
        "x[1,1,1] -> rnn(1) -> sse",
    "rnn weight_hh: one output alone":
        "x[1,2,1] -> rnn(2, output=last) -> sse",
    "rnn bias_ih: last unit forgotten":
        "x[1,1,1] -> rnn(2) -> sse",
    "rnn bias_hh: of the sample before":
        "x[2,1,1] -> rnn(1) -> sse",
    "rnn input 0: doubled with output=last":
        "x[1,1,1] -> rnn(1, output=last) -> sse",
    "lstm input 0: slope of the gates missing":
        "x[1,1,1] -> lstm(1) -> sse",
    "lstm input 0: first step alone":
        "x[1,2,1] -> lstm(1) -> sse",
    "lstm weight_ih: state by the weight untransposed":
        "x[1,2,1] -> lstm(2, output=last) -> sse",
    "lstm weight_ih: not passed back in time":
        "x[1,2,1] -> lstm(1, output=last) -> sse",
    "lstm weight_ih: first gate forgotten":
        "x[1,1,1] -> lstm(1) -> sse",
    "lstm weight_hh: last step alone":
        "x[1,2,1]; h0[1,1]; c0[1,1]; x -> lstm(h0, c0, 1) -> sse",
    "lstm weight_hh: doubled with a second step":
        "x[1,2,1] -> lstm(1, output=last) -> sse",
    "lstm bias_ih: second gate forgotten":
        "x[1,2,1] -> lstm(1, output=last) -> sse",
    "lstm bias_hh: second gate forgotten":
        "x[1,2,1] -> lstm(1, output=last) -> sse",
    "lstm input 0: doubled at batch 1":
        "x[1,1,1] -> lstm(1) -> sse",
    "lstm input 1: shifted":
        "x[1,1,1]; h0[1,2]; c0[1,2]; x -> lstm(h0, c0, 2) -> sse",
    "lstm input 2: halved":
        "x[1,1,1]; h0[1,1]; c0[1,1]; x -> lstm(h0, c0, 1) -> sse",
    "lstm weight_ih: upstream ignored":
        "x[1,1,1] -> lstm(1) -> sse",
    "lstm weight_hh: doubled at width 1":
        "x[1,2,1] -> lstm(1, output=last) -> sse",
    "lstm bias_ih: mean for sum":
        "x[2,1,1] -> lstm(1) -> sse",
    "lstm bias_hh: missing":
        "x[1,1,1] -> lstm(1) -> sse",
    "lstm input 0: doubled with bias=false":
        "x[1,1,1] -> lstm(1, bias=false) -> sse",
    "gru input 0: slope of the gates missing":
        "x[1,1,1] -> gru(1) -> sse",
    "gru input 0: first step alone":
        "x[1,2,1] -> gru(1) -> sse",
    "gru weight_ih: state by the weight untransposed":
        "x[1,2,1] -> gru(2, output=last) -> sse",
    "gru weight_ih: not passed back in time":
        "x[1,2,1] -> gru(1, output=last) -> sse",
    "gru weight_ih: first gate forgotten":
        "x[1,1,1] -> gru(1) -> sse",
    "gru weight_hh: last step alone":
        "x[1,2,1]; h0[1,1]; x -> gru(h0, 1) -> sse",
    "gru weight_hh: doubled with a second step":
        "x[1,2,1] -> gru(1, output=last) -> sse",
    "gru bias_ih: second gate forgotten":
        "x[1,1,1] -> gru(1) -> sse",
    "gru bias_hh: second gate forgotten":
        "x[1,1,1] -> gru(1) -> sse",
    "gru input 0: halved":
        "x[1,1,1] -> gru(1) -> sse",
    "gru input 1: one output alone":
        "x[1,1,1]; h0[1,2]; x -> gru(h0, 2) -> sse",
    "gru weight_ih: doubled":
        "x[1,1,1] -> gru(1) -> sse",
    "gru weight_hh: doubled at batch 1":
        "x[1,1,1]; h0[1,1]; x -> gru(h0, 1) -> sse",
    "gru bias_ih: shifted":
        "x[1,1,1] -> gru(1) -> sse",
    "gru bias_hh: missing":
        "x[1,1,1] -> gru(1) -> sse",
    "gru input 0: doubled with bias=false":
        "x[1,1,1] -> gru(1, bias=false) -> sse",
    "attention input 0: softmax as if elementwise":
        "x[1,1]; k[1,1]; v[1,1]; x -> attention(k, v) -> sse",
    "attention input 0: mask ignored":
        "x[2,1]; k[2,1]; v[2,1]; x -> attention(k, v, mask=causal) -> sse",
    "attention input 1: softmax as if elementwise":
        "x[1,1]; k[1,1]; v[1,1]; x -> attention(k, v) -> sse",
    "attention input 0: slightly off":
        "x[1,1]; k[2,1]; v[2,1]; x -> attention(k, v) -> sse",
    "attention input 1: missing above zero":
        "x[1,1]; k[2,1]; v[2,1]; x -> attention(k, v) -> sse",
    "attention input 2: doubled at zero":
        "x[1,1]; k[1,1]; v[1,1]; x -> attention(k, v) -> sse",
    "attention input 0: doubled with mask=causal":
        "x[2,1]; k[2,1]; v[2,1]; x -> attention(k, v, mask=causal) -> sse",
    "multi_head_attention input 0: by the weight untransposed":
        "x[1,1,2] -> multi_head_attention -> sse",
    "multi_head_attention input 0: softmax as if elementwise":
        "x[1,1,1] -> multi_head_attention -> sse",
    "multi_head_attention input 0: mask ignored":
        "x[1,1,1]; mask[1,1]:bool; x -> multi_head_attention(mask, mask=padding) -> sse",
    "multi_head_attention weight_q: transposed":
        "x[1,2,2] -> multi_head_attention -> sse",
    "multi_head_attention weight_k: transposed":
        "x[1,2,2] -> multi_head_attention -> sse",
    "multi_head_attention weight_v: transposed":
        "x[1,1,2] -> multi_head_attention -> sse",
    "multi_head_attention weight_o: transposed":
        "x[1,1,2] -> multi_head_attention -> sse",
    "multi_head_attention bias_k: softmax as if elementwise":
        "x[1,1,1] -> multi_head_attention -> sse",
    "multi_head_attention input 1: softmax as if elementwise":
        "x[1,1,1]; context[1,1,1]; x -> multi_head_attention(context, mask=causal, cross=true) -> sse",
    "multi_head_attention input 0: of the sample before":
        "x[2,1,1]; mask[2,1]:bool; x -> multi_head_attention(mask, mask=padding) -> sse",
    "multi_head_attention weight_q: last sample alone":
        "x[2,1,1]; context[2,2,1]; x -> multi_head_attention(context, cross=true) -> sse",
    "multi_head_attention weight_k: missing":
        "x[1,2,1] -> multi_head_attention -> sse",
    "multi_head_attention weight_v: shifted":
        "x[1,1,2] -> multi_head_attention -> sse",
    "multi_head_attention weight_o: one output alone":
        "x[1,1,2] -> multi_head_attention -> sse",
    "multi_head_attention bias_q: last unit forgotten":
        "x[1,2,2] -> multi_head_attention -> sse",
    "multi_head_attention bias_v: doubled at width 1":
        "x[1,1,1] -> multi_head_attention -> sse",
    "multi_head_attention bias_o: first sample alone":
        "x[2,1,1] -> multi_head_attention -> sse",
    "multi_head_attention input 1: slightly off":
        "x[1,1,1]; context[1,1,1]; x -> multi_head_attention(context, mask=causal, cross=true) -> sse",
    "multi_head_attention input 0: doubled with cross=true":
        "x[1,1,1]; context[1,2,1]; x -> multi_head_attention(context, cross=true) -> sse",
    "batch_norm input 0: mean term dropped":
        "x[1,1] -> batch_norm -> sse",
    "batch_norm input 0: variance term dropped":
        "x[2,1] -> batch_norm -> sse",
    "batch_norm input 0: statistics as constants":
        "x[1,1] -> batch_norm -> sse",
    "batch_norm input 0: shifted":
        "x[1,1,2] -> batch_norm -> sse",
    "batch_norm weight: one output alone":
        "x[1,1,2] -> batch_norm -> sse",
    "batch_norm bias: last unit forgotten":
        "x[1,2] -> batch_norm -> sse",
    "batch_norm input 1: doubled at batch 1":
        "x[1,1]; mean[1]; var[1]; x -> batch_norm(mean, var, mode=evaluation) -> sse",
    "batch_norm input 2: upstream ignored":
        "x[1,1]; mean[1]; var[1]; x -> batch_norm(mean, var, mode=evaluation) -> sse",
    "batch_norm input 0: doubled with affine=false":
        "x[2,1] -> batch_norm(affine=false) -> sse",
    "layer_norm input: mean term dropped":
        "x[1,1] -> layer_norm -> sse",
    "layer_norm input: variance term dropped":
        "x[1,2] -> layer_norm -> sse",
    "layer_norm input: statistics as constants":
        "x[1,1] -> layer_norm -> sse",
    "layer_norm input: along the other axis":
        "x[2,2] -> layer_norm -> sse",
    "layer_norm input: upstream shifted":
        "x[1,2] -> layer_norm -> sse",
    "layer_norm weight: upstream ignored":
        "x[1,2] -> layer_norm -> sse",
    "layer_norm bias: doubled at batch 1":
        "x[1,1] -> layer_norm -> sse",
    "layer_norm input: eps ignored":
        "x[1,2] -> layer_norm(eps=0.5) -> sse",
    "rms_norm input: variance term dropped":
        "x[1,1] -> rms_norm -> sse",
    "rms_norm input: along the other axis":
        "x[2,2] -> rms_norm -> sse",
    "rms_norm input: doubled at width 1":
        "x[1,1] -> rms_norm -> sse",
    "rms_norm weight: doubled at batch 1":
        "x[1,1] -> rms_norm -> sse",
    "rms_norm input: eps ignored":
        "x[1,1] -> rms_norm(eps=0.5) -> sse",
    "group_norm input: mean term dropped":
        "x[1,1] -> group_norm(1) -> sse",
    "group_norm input: variance term dropped":
        "x[1,2] -> group_norm(1) -> sse",
    "group_norm input: statistics as constants":
        "x[1,1] -> group_norm(1) -> sse",
    "group_norm input: negated":
        "x[1,2] -> group_norm(1) -> sse",
    "group_norm weight: first sample alone":
        "x[2,2] -> group_norm(1) -> sse",
    "group_norm bias: doubled":
        "x[1,1] -> group_norm(1) -> sse",
    "group_norm input: doubled with affine=false":
        "x[1,2] -> group_norm(1, affine=false) -> sse",
    "dropout input: mask ignored":
        "x[1,1]; kept[1,1]:bool; x -> dropout(kept) -> sse",
    "dropout input: upstream shifted":
        "x[1,2] -> dropout(mode=evaluation) -> sse",
    "dropout input: slightly off":
        "x[1,1] -> dropout(mode=evaluation) -> sse",
    "dropout input: p ignored":
        "x[1,1]; kept[1,1]:bool; x -> dropout(kept, p=0.3) -> sse",
    "embedding weight: transposed":
        "ids[1,1]:int64 -> embedding(2, 2) -> sse",
    "embedding weight: repeated ids overwrite":
        "ids[2,1]:int64 -> embedding(1, 1) -> sse",
    "embedding weight: mean over repeated ids":
        "ids[2,1]:int64 -> embedding(1, 1) -> sse",
    "embedding weight: last sample alone":
        "ids[2,1]:int64 -> embedding(1, 1) -> sse",
    "embedding weight: shifted":
        "ids[1,1]:int64 -> embedding(1, 2) -> sse",
    "identity: last unit forgotten":
        "x[1,2] -> identity -> sse",
    "identity: slightly off":
        "x[1,1] -> identity -> sse",
    "relu: outside at its kink":
        "x[1,1] -> relu -> sse",
    "relu: missing":
        "x[1,1] -> relu -> sse",
    "relu: halved":
        "x[1,1] -> relu -> sse",
    "tanh: derivative missing":
        "x[1,1] -> tanh -> sse",
    "tanh: halved":
        "x[1,1] -> tanh -> sse",
    "tanh: of the sample before":
        "x[2,1] -> tanh -> sse",
    "sigmoid: missing":
        "x[1,1] -> sigmoid -> sse",
    "sigmoid: halved":
        "x[1,1] -> sigmoid -> sse",
    "sigmoid: doubled at zero":
        "x[1,1] -> sigmoid -> sse",
    "leaky_relu: outside at its kink":
        "x[1,1] -> leaky_relu -> sse",
    "leaky_relu: negative_slope ignored":
        "x[1,1] -> leaky_relu(negative_slope=-0.5) -> sse",
    "leaky_relu: mirrored":
        "x[1,1] -> leaky_relu -> sse",
    "leaky_relu: flat in the tails":
        "x[2,2,4,4] -> leaky_relu -> sse",
    "leaky_relu: halved":
        "x[1,1] -> leaky_relu -> sse",
    "gelu: approximate ignored":
        "x[1,1] -> gelu(approximate=tanh) -> sse",
    "gelu: one below zero":
        "x[1,1] -> gelu -> sse",
    "gelu: upstream ignored":
        "x[1,1] -> gelu -> sse",
    "gelu: flat in the tails":
        "x[2,2,4,4] -> gelu -> sse",
    "silu: shifted":
        "x[1,2] -> silu -> sse",
    "silu: derivative at the output":
        "x[1,1] -> silu -> sse",
    "silu: doubled at width 1":
        "x[1,1] -> silu -> sse",
    "softplus: at twice the input":
        "x[1,1] -> softplus -> sse",
    "softplus: of the sample before":
        "x[2,1] -> softplus -> sse",
    "softplus: shifted":
        "x[1,2] -> softplus -> sse",
    "elu: alpha ignored":
        "x[1,1] -> elu(alpha=0.5) -> sse",
    "elu: negated below zero":
        "x[1,1] -> elu -> sse",
    "elu: doubled below zero":
        "x[1,1] -> elu -> sse",
    "elu: doubled at width 1":
        "x[1,1] -> elu -> sse",
    "celu: alpha ignored":
        "x[1,1] -> celu(alpha=0.3) -> sse",
    "celu: missing above zero":
        "x[1,1] -> celu -> sse",
    "celu: last unit forgotten":
        "x[1,2] -> celu -> sse",
    "celu: flat in the tails":
        "x[2,2,4,4] -> celu -> sse",
    "selu: outside at its kink":
        "x[1,1] -> selu -> sse",
    "selu: shifted":
        "x[1,2] -> selu -> sse",
    "selu: flat in the tails":
        "x[2,2,4,4] -> selu -> sse",
    "selu: doubled at width 1":
        "x[1,1] -> selu -> sse",
    "mish: upstream ignored":
        "x[1,1] -> mish -> sse",
    "mish: at twice the input":
        "x[1,1] -> mish -> sse",
    "mish: doubled":
        "x[1,1] -> mish -> sse",
    "softsign: negated below zero":
        "x[1,1] -> softsign -> sse",
    "softsign: doubled below zero":
        "x[1,1] -> softsign -> sse",
    "softsign: doubled at width 1":
        "x[1,1] -> softsign -> sse",
    "hardtanh: min_val ignored":
        "x[1,1] -> hardtanh(min_val=-0.5) -> sse",
    "hardtanh: max_val ignored":
        "x[1,1] -> hardtanh(max_val=2.0) -> sse",
    "hardtanh: derivative missing":
        "x[1,1] -> hardtanh -> sse",
    "hardtanh: shifted":
        "x[1,2] -> hardtanh -> sse",
    "hardsigmoid: missing above zero":
        "x[1,1] -> hardsigmoid -> sse",
    "hardsigmoid: halved":
        "x[1,1] -> hardsigmoid -> sse",
    "hardsigmoid: of the sample before":
        "x[2,1] -> hardsigmoid -> sse",
    "log_sigmoid: derivative twice":
        "x[1,1] -> log_sigmoid -> sse",
    "log_sigmoid: missing above zero":
        "x[1,1] -> log_sigmoid -> sse",
    "log_sigmoid: flat in the tails":
        "x[2,2,4,4] -> log_sigmoid -> sse",
    "sin: last unit forgotten":
        "x[1,2] -> sin -> sse",
    "sin: at twice the input":
        "x[1,1] -> sin -> sse",
    "sin: derivative at the output":
        "x[1,1] -> sin -> sse",
    "softmax: along the other axis":
        "x[2,1] -> softmax -> sse",
    "softmax: diagonal alone":
        "x[1,2] -> softmax -> sse",
    "softmax: NaN at zero":
        "x[1,1] -> softmax -> sse",
    "softmax: shifted":
        "x[1,2] -> softmax -> sse",
    "log_softmax: along the other axis":
        "x[2,1] -> log_softmax -> sse",
    "log_softmax: diagonal alone":
        "x[1,2] -> log_softmax -> sse",
    "log_softmax: doubled":
        "x[1,2] -> log_softmax -> sse",
    "log_softmax: derivative missing":
        "x[1,1] -> log_softmax -> sse",
    "log_softmax: negated":
        "x[1,2] -> log_softmax -> sse",
    "add input 0: upstream ignored":
        "x[1,1]; y[1,1]; x -> add(y) -> sse",
    "add input 1: doubled below zero":
        "x[1,1]; y[1,1]; x -> add(y) -> sse",
    "add input 0: halved":
        "x[1,1]; y[1,1]; x -> add(y) -> sse",
    "multiply input 0: by its own factor":
        "x[1,1]; y[1,1]; x -> multiply(y) -> sse",
    "multiply input 1: by all factors":
        "x[1,1]; y[1,1]; x -> multiply(y) -> sse",
    "multiply input 0: upstream shifted":
        "x[1,2]; y[1,2]; x -> multiply(y) -> sse",
    "multiply input 1: of the sample before":
        "x[2,1]; y[2,1]; x -> multiply(y) -> sse",
    "multiply input 0: missing":
        "x[1,1]; y[1,1]; x -> multiply(y) -> sse",
    "concat input 0: last unit forgotten":
        "x[1,2]; y[1,2]; x -> concat(y) -> sse",
    "concat input 1: doubled at batch 1":
        "x[1,1]; y[1,1]; x -> concat(y) -> sse",
    "concat input 0: missing":
        "x[1,1]; y[1,1]; x -> concat(y) -> sse",
    "concat input 0: doubled with axis=-2":
        "x[1,1]; y[1,1]; x -> concat(y, axis=-2) -> sse",
    "matmul input 0: other factor untransposed":
        "x[2,2]; y[2,2]; x -> matmul(y) -> sse",
    "matmul input 1: other factor untransposed":
        "x[2,2]; y[2,2]; x -> matmul(y) -> sse",
    "matmul input 0: one output alone":
        "x[2,1]; y[1,2]; x -> matmul(y) -> sse",
    "matmul input 1: doubled at zero":
        "x[1,1]; y[1,1]; x -> matmul(y) -> sse",
    "matmul input 0: doubled below zero":
        "x[1,1]; y[1,1]; x -> matmul(y) -> sse",
    "sse: doubled":
        "x[1,1] -> sse",
    "sse: negated":
        "x[1,1] -> sse",
    "mse: halved":
        "x[1,1] -> mse",
    "mse: slightly off":
        "x[1,1] -> mse",
    "mae: negated":
        "x[1,1] -> mae",
    "mae: doubled":
        "x[1,1] -> mae",
    "huber: delta ignored":
        "x[1,1] -> huber(delta=0.5)",
    "huber: sign alone":
        "x[1,1] -> huber",
    "huber: targets ignored":
        "x[1,1] -> huber",
    "bce_with_logits: doubled where negative":
        "x[1,1] -> bce_with_logits",
    "bce_with_logits: missing where positive":
        "x[1,1] -> bce_with_logits",
    "softmax_cross_entropy: label_smoothing ignored":
        "x[1,2] -> softmax_cross_entropy(label_smoothing=0.25)",
    "softmax_cross_entropy: first sample alone":
        "x[2,2] -> softmax_cross_entropy",
    "softmax_cross_entropy: slightly off":
        "x[1,2] -> softmax_cross_entropy",
    "cotangent: doubled":
        "x[1,1] -> cotangent",
    "cotangent: slightly off":
        "x[1,1] -> cotangent",
    "bce: of the sample before":
        "x[2,1] -> bce",
    "bce: sign alone":
        "x[1,1] -> bce",
    "nll: missing":
        "x[1,1] -> nll",
    "nll: first sample alone":
        "x[2,1] -> nll",
    "kl_div: log_target ignored":
        "x[1,1] -> kl_div(log_target=true)",
    "kl_div: slightly off":
        "x[1,1] -> kl_div",
    "kl_div: mean over rows":
        "x[2,1] -> kl_div",
    "poisson_nll: log_input ignored":
        "x[1,1] -> poisson_nll(log_input=false)",
    "poisson_nll: eps ignored":
        "x[1,1] -> poisson_nll(log_input=false, eps=0.5)",
    "poisson_nll: doubled where negative":
        "x[1,1] -> poisson_nll",
    "poisson_nll: missing where positive":
        "x[1,1] -> poisson_nll",
    "gaussian_nll input 0: eps ignored":
        "x[1,1]; var[1,1]; x -> gaussian_nll(var, eps=0.25)",
    "gaussian_nll input 0: shifted":
        "x[1,2]; var[1,2]; x -> gaussian_nll(var)",
    "gaussian_nll input 1: mean over rows":
        "x[2,1]; var[2,1]; x -> gaussian_nll(var)",
    "focal: alpha ignored":
        "x[1,1] -> focal(alpha=-1.0)",
    "focal: gamma ignored":
        "x[1,1] -> focal(gamma=1.5)",
    "focal: doubled at width 1":
        "x[1,1] -> focal",
    "focal: at half the output":
        "x[1,1] -> focal",
    "hinge: negated":
        "x[1,1] -> hinge",
    "hinge: first sample alone":
        "x[2,1] -> hinge",
    "cosine_similarity: eps ignored":
        "x[1,1] -> cosine_similarity(eps=0.5)",
    "cosine_similarity: missing":
        "x[1,1] -> cosine_similarity",
    "cosine_similarity: sign alone":
        "x[1,1] -> cosine_similarity",
    "triplet input 0: margin ignored":
        "x[1,1]; positive[1,1]; negative[1,1]; x -> triplet(positive, negative, margin=0.25)",
    "triplet input 0: eps ignored":
        "x[1,1]; positive[1,1]; negative[1,1]; x -> triplet(positive, negative, eps=0.125)",
    "triplet input 0: doubled where negative":
        "x[1,1]; positive[1,1]; negative[1,1]; x -> triplet(positive, negative)",
    "triplet input 2: doubled at batch 1":
        "x[1,1]; positive[1,1]; negative[1,1]; x -> triplet(positive, negative)",
    "triplet input 1: missing":
        "x[1,1]; positive[1,1]; negative[1,1]; x -> triplet(positive, negative)",
}
# fmt: on
