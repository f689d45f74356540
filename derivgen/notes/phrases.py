"""The table of phrases: key, English, Chinese."""

from __future__ import annotations

PHRASES: dict[str, tuple[str, str]] = {
    "and": (" and ", " 和 "),
    "then": (" ", ""),
    "comma": (", ", "、"),
    "title": ("Backpropagation for {network}", "{network} 的反向传播推导"),
    "network": ("The network", "网络"),
    "notation": ("Notation", "记号"),
    "symbol": ("Symbol", "符号"),
    "meaning": ("Meaning", "含义"),
    "shape": ("Shape", "形状"),
    "input": ("input", "输入"),
    "target": ("target", "目标值"),
    "param": ("parameter", "参数"),
    "const": ("constant", "常数"),
    "random": ("random", "随机量"),
    "state": ("state", "状态量"),
    "inputs": ("Inputs", "输入"),
    "targets": ("Targets", "目标值"),
    "params": ("Parameters", "参数"),
    "consts": ("Constants", "常数"),
    "randoms": ("Random numbers", "随机量"),
    "states": ("States", "状态量"),
    "given": ("{role}: {values}.", "{role}：{values}。"),
    "value": ("value", "中间量"),
    "loss": ("loss", "损失"),
    "scalar": ("scalar", "标量"),
    "sizes": ("Sizes: {sizes}.", "各维大小：{sizes}。"),
    "widths": ("Units in a layer: {sizes}.", "各层单元数：{sizes}。"),
    "one sample": (
        "All quantities belong to one sample; training minimises the mean of {loss} over the "
        "samples, so each gradient is averaged over them.",
        "以下各量都对应一个样本；训练时最小化 {loss} 在样本上的平均值，因此梯度也取平均。",
    ),
    "batch": (
        "The index {index} runs over the samples of a batch; the loss is taken as it is written.",
        "下标 {index} 遍历一批样本；损失按写出的形式计算。",
    ),
    "partial meaning": (
        "A partial derivative such as {partial} takes every path from the quantity to {loss} into "
        "account.",
        "偏导数（如 {partial}）考虑该量到 {loss} 的所有路径。",
    ),
    "delta meaning": (
        "A delta is the derivative of {loss} with respect to a pre-activation: {deltas}.",
        "误差项 delta 表示 {loss} 对激活前输入的偏导数：{deltas}。",
    ),
    "odot meaning": ("The sign {sign} multiplies entry by entry.", "符号 {sign} 表示逐元素相乘。"),
    "oslash meaning": ("The sign {sign} divides entry by entry.", "符号 {sign} 表示逐元素相除。"),
    "fixed meaning": (
        "A local derivative {partial} holds {fixed} fixed although that depends on the same "
        "quantity; the path through it is a term of its own.",
        "局部导数 {partial} 把 {fixed} 视为常量；经过 {fixed} 的路径另成一项。",
    ),
    "ones meaning": ("{ones} is a vector of {size} ones.", "{ones} 是 {size} 个 1 组成的向量。"),
    "columns meaning": ("Vectors stand as columns.", "向量均为列向量。"),
    "rows meaning": ("Vectors stand as rows.", "向量均为行向量。"),
    "label meaning": (
        "In matrix form {letters} stays a label: there is one vector or matrix for each value.",
        "矩阵形式中 {letters} 仍作标号：每个取值对应一个向量或矩阵。",
    ),
    "tensor meaning": (
        "Equations with quantities of more than two indices stand in index form only.",
        "含有两个以上下标的量的方程只写下标形式。",
    ),
    "iverson meaning": (
        "A bracket {bracket} is 1 where the condition holds and 0 elsewhere.",
        "方括号 {bracket} 在条件成立时为 1，否则为 0。",
    ),
    "forward": ("Forward pass", "前向传播"),
    "forward intro": (
        "The equations in the order in which they are computed.",
        "按计算顺序列出各方程。",
    ),
    "inner derivative": (
        "The next equation holds a derivative, which the chain rule gives first:",
        "下一方程含有导数，先由链式法则求出：",
    ),
    "in matrix form": ("In matrix form:", "矩阵形式："),
    "for": ("for {condition}", "{condition}"),
    "where for": ("for", "当"),
    "facts": (
        "It is given that {fact}.",
        "已知 {fact}。",
    ),
    "fact used": (
        "The result below uses this fact; data that violate it are refused.",
        "下面的推导用到这一事实；不满足它的数据会被拒绝。",
    ),
    "lemmas": ("Slopes of the functions used", "所用函数的导数"),
    "lemma intro": (
        "Each function is differentiated once, from its own definition; the slope is cited below.",
        "每个函数由其定义求导一次，下文直接引用。",
    ),
    "lemma of": ("Function {name}:", "函数 {name}："),
    "raw": ("by the rules of differentiation", "由求导法则"),
    "rule output": ("in terms of the output", "用输出值表示"),
    "rule known function": ("a known function", "化为已知函数"),
    "backward": ("Backward pass", "反向传播"),
    "backward intro": (
        "From {loss} backwards, each derivative is found from those found before it.",
        "从 {loss} 出发逐步向后，每个偏导数由已求得的偏导数得到。",
    ),
    "step delta": ("Delta of {quantity}", "{quantity} 处的 delta"),
    "step gradient": ("Gradient of {quantity}", "{quantity} 的梯度"),
    "step value": ("Derivative with respect to {quantity}", "对 {quantity} 的偏导数"),
    "step delta many": ("Deltas of {quantities}", "{quantities} 处的 delta"),
    "step gradient many": ("Gradients of {quantities}", "{quantities} 的梯度"),
    "step value many": ("Derivatives with respect to {quantities}", "对 {quantities} 的偏导数"),
    "step auxiliary many": ("Sums used below: {quantities}", "下面用到的求和项 {quantities}"),
    "paths add": (
        "Where a quantity is read by several others, the contributions of all paths add up.",
        "若一个量影响多个量，则各条路径的贡献相加。",
    ),
    "step auxiliary": ("A sum used below", "下面用到的求和项"),
    "reads one": (
        "{quantity} reaches {loss} through {readers}.",
        "{quantity} 经由 {readers} 影响 {loss}。",
    ),
    "reads many": (
        "{quantity} reaches {loss} through {readers}; the contributions of all paths add up.",
        "{quantity} 经由 {readers} 影响 {loss}，各条路径的贡献相加。",
    ),
    "local": ("The local derivatives:", "局部导数："),
    "local one": ("The local derivative:", "局部导数："),
    "from eq": ("from {ref}", "由 {ref}"),
    "by eq": ("by {ref}", "由 {ref}"),
    "by lemma": ("by {ref}", "由 {ref}"),
    "chain rule": ("chain rule", "链式法则"),
    "definition": ("definition", "定义"),
    "product": ("local derivatives put in", "代入局部导数"),
    "unused": (
        "The loss does not depend on {quantity}: its gradient is zero.",
        "损失与 {quantity} 无关，其梯度为零。",
    ),
    "no matrix": ("There is no matrix form: {reason}.", "没有矩阵形式：{reason}。"),
    "reason rank": (
        "{subject} has more than two indices",
        "{subject} 的下标多于两个",
    ),
    "reason arithmetic": (
        "the indices of {subject} are computed, so its entries do not line up",
        "{subject} 的下标带有运算，元素无法按行列对齐",
    ),
    "reason diagonal": ("{subject} is read along its diagonal", "{subject} 沿对角线取值"),
    "reason part": ("only a part of {subject} is read", "只用到 {subject} 的一部分"),
    "reason index value": ("an index is used as a number", "下标被当作数值使用"),
    "reason fold": ("{subject} is no sum of products", "{subject} 不是乘积之和"),
    "reason kind": ("{subject} does not act entry by entry", "{subject} 不是逐元素的运算"),
    "reason guard": ("a condition on indices selects the terms", "由下标条件选取各项"),
    "reason cases": ("it differs by case", "分情况取值"),
    "reason three": (
        "more than two matrices share the summed index {subject}",
        "求和下标 {subject} 同时出现在两个以上矩阵中",
    ),
    "summary": ("Summary", "小结"),
    "quantity": ("Quantity", "量"),
    "index form": ("Index form", "下标形式"),
    "matrix form": ("Matrix form", "矩阵形式"),
    "cost": ("Multiplications", "乘法次数"),
    "equation": ("Equation", "方程"),
    "algorithm": ("Algorithm", "算法"),
    "algorithm title": (
        "One step of gradient descent with learning rate {rate}",
        "一步梯度下降，学习率为 {rate}",
    ),
    "forward step": ("forward pass", "前向传播"),
    "backward step": ("backward pass", "反向传播"),
    "update step": ("update", "更新参数"),
    "for each sample": ("for each sample of the batch", "对一批中的每个样本"),
    "for scan": ("for {index} from {low} to {high}", "令 {index} 从 {low} 到 {high}"),
    "for scan down": ("for {index} from {high} down to {low}", "令 {index} 从 {high} 递减到 {low}"),
    "mean over samples": (
        "average the gradients over the samples",
        "将各梯度对样本取平均",
    ),
    "rule forward value": ("the value computed forward", "用前向已算出的值"),
    "rule earlier adjoint": ("put in from before", "代入前面的结果"),
    "rule tidy": ("simplified", "化简"),
    "rule outside the sum": ("factors moved out of the sum", "将公因子移出求和号"),
    "rule declared fact": ("the given fact", "由已知事实"),
    "rule merge": ("terms collected", "合并同类项"),
    "rule zero": ("a term is zero", "某项为零"),
    "html hint": (
        "Point at a symbol, or click it, to see its chain to the loss light up.",
        "将鼠标移到某个符号上或点击它，可以看到它到损失的整条链。",
    ),
    "html dark": ("light / dark", "明 / 暗"),
    "worked": ("Worked example", "数值算例"),
    "worked intro": (
        "The same equations in numbers. Values are computed to full precision and shown to a few "
        "significant digits.",
        "下面代入数值。计算保留完整精度，只显示若干位有效数字。",
    ),
    "number": ("Value", "数值"),
    "worked forward": ("Forward", "前向计算"),
    "worked backward": ("Backward", "反向计算"),
    "worked update": ("One step", "更新一步"),
    "worked local": ("The local derivatives:", "各局部导数："),
    "worked chains": (
        "The gradients, each as its chain of local derivatives:",
        "各梯度由局部导数连乘（并求和）得到：",
    ),
    "worked rate": (
        "Gradient descent moves each parameter against its gradient, {rule}, here with {rate}:",
        "梯度下降使各参数沿负梯度方向移动，{rule}；这里取 {rate}：",
    ),
    "worked lost": (
        "After this step {loss} is not a finite number: the step is too long.",
        "更新一步后，{loss} 不再是有限的数：步长过大。",
    ),
    "worked after": (
        "After this step {loss} has gone from {before} to {after}.",
        "更新一步后，{loss} 由 {before} 变为 {after}。",
    ),
    "stack": ("The layers {range} are alike:", "第 {range} 各层结构相同："),
    "stack step": ("For {range}: ", "对 {range}："),
    "stack end": ("The other layers:", "其余各层："),
    "stack up": ("for {letter} from {first} to {last}", "令 {letter} 从 {first} 到 {last}"),
    "stack down": (
        "for {letter} from {last} down to {first}",
        "令 {letter} 从 {last} 递减到 {first}",
    ),
    "figures": ("Diagram and computation graph", "网络结构图与计算图"),
    "diagram only": ("Diagram", "网络结构图"),
    "graph only": ("Computation graph", "计算图"),
    "diagram neurons": (
        "The neurons; each arrow carries the weight by which it multiplies.",
        "各神经元；箭头上为所乘的权重。",
    ),
    "diagram layers": (
        "The layers; between two of them stands the matrix of their weights.",
        "各层；两层之间标出其权重矩阵。",
    ),
    "graph plain": (
        "The computation graph: each arrow leads from a quantity to one computed from it.",
        "计算图：箭头从一个量指向由它算出的量。",
    ),
    "graph values": (
        "The computation graph: with each node its value and then the derivative of the loss with "
        "respect to it, on each arrow the local derivative.",
        "计算图：结点旁先标其值，再标损失对它的导数，箭头上为局部导数。",
    ),
    "if": ("if {condition}", "若 {condition}"),
    "reuse": (
        "From the loss to the parameters lead {paths} paths. Multiplied out path by path the chain "
        "rule takes {naive} products of local derivatives; with each derivative found once and "
        "used again it takes {shared}.",
        "从损失到各参数共有 {paths} 条路径。若沿每条路径分别相乘，需要 {naive} 次局部导数乘积；"
        "每个偏导数只求一次并重复使用，则只需 {shared} 次。",
    ),
    "expanded": ("The loss written out", "损失的展开式"),
    "expanded intro": (
        "With the forward equations put back in, layer by layer, the loss becomes one long "
        "expression. The chain rule differentiates it without ever writing it down.",
        "把前向方程逐层代回，损失变成一个很长的表达式；链式法则无需写出它就能求导。",
    ),
    "depth": ("Why gradients vanish or explode", "梯度为何消失或爆炸"),
    "depth intro": (
        "From the last delta to the first, every layer multiplies by the slopes of its function "
        "and by the weights that follow:",
        "从最后一层的 delta 到第一层，每一层都要乘以激活函数的斜率和其后的权重：",
    ),
    "depth why": (
        "This is a product over {links} links. Where slopes times weights stay below 1, it shrinks "
        "like a power of the depth and the first layers hardly learn; where they exceed 1, it "
        "grows in the same way.",
        "这是 {links} 段的连乘。若斜率与权重之积小于 1，乘积随深度按幂次缩小，前面的层几乎学不动；"
        "若大于 1，则按同样方式增大。",
    ),
    "depth why recurrent": (
        "Where slopes times weights stay below 1, the product shrinks like a power of the depth "
        "and the first factors hardly learn; where they exceed 1, it grows in the same way.",
        "若斜率与权重之积小于 1，连乘随深度按幂次缩小，前面的部分几乎学不动；"
        "若大于 1，则按同样方式增大。",
    ),
    "delta": ("Delta", "delta"),
    "largest slope": ("Largest slope", "最大斜率"),
    "size of weights": ("Norm of the weights after it", "其后权重的范数"),
    "size of delta": ("Norm of the delta", "delta 的范数"),
    "depth plot": (
        "The size of the deltas along the depth, on a logarithmic scale.",
        "delta 的大小随深度的变化（对数坐标）。",
    ),
    "first derivatives": (
        "The first derivatives, and their product with a direction, which is differentiated below:",
        "一阶导数及其与某一方向的乘积，下面对它求导：",
    ),
    "inserted unseen": ("with the derivative of the layer above put in", "代入上一层求得的偏导数"),
    "inserted": ("with {ref} put in", "代入 {ref}"),
}
