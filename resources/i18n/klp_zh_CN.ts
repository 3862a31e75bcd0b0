<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN" sourcelanguage="en">
<context>
    <name>klp</name>
    <message>
        <source>KL divergence, in nats: both memories read the words of the answer before, and this is how far what the model would say next moves under the hand, over the whole vocabulary and before temperature. 0: nothing moves. Bars: one a token, height by the root, of a nat or of the most there is.
|S|: Frobenius norm of all states behind that answer, before and under the hand, and the norm of their difference as a share of the first.</source>
        <translation>KL 散度，单位奈特：两种记忆都读入之前那条回答的文字；它表示在干预下，模型接下来要说的内容偏移了多少，按整个词表、温度之前计算。0：没有偏移。柱形：每个词元一根，高度按平方根，满高为 1 奈特或其中最大者。
|S|：那条回答之后全部状态的 Frobenius 范数，干预前与干预下，以及两者之差的范数占前者的比例。</translation>
    </message>
    <message>
        <source>the same, word for word</source>
        <translation>逐词相同</translation>
    </message>
    <message>
        <source>%1 of %2 differ</source>
        <translation>%2中有 %1 个不同</translation>
    </message>
    <message>
        <source>KL %1 nats a token, most %2 at “%3”</source>
        <translation>KL 每词元 %1 奈特，最大 %2，在“%3”处</translation>
    </message>
    <message>
        <source>|S| %1 → %2, apart by %3</source>
        <translation>|S| %1 → %2，相差 %3</translation>
    </message>
    <message>
        <source>Beside the answer before: %1</source>
        <translation>与之前的回答相比：%1</translation>
    </message>
    <message>
        <source>the end</source>
        <translation>结尾</translation>
    </message>
    <message>
        <source>token %1, “%2”: KL %3 nats; its probability %4 → %5</source>
        <translation>词元 %1“%2”：KL %3 奈特；其概率 %4 → %5</translation>
    </message>
    <message>
        <source>Dismiss</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Dismiss the message</source>
        <translation>关闭这条消息</translation>
    </message>
    <message>
        <source>Dismiss the message (Esc)</source>
        <translation>关闭这条消息（Esc）</translation>
    </message>
    <message>
        <source>Problem: %1</source>
        <translation>问题：%1</translation>
    </message>
    <message>
        <source>Note: %1</source>
        <translation>提示：%1</translation>
    </message>
    <message>
        <source>Under the hands before</source>
        <translation>在之前的干预下</translation>
    </message>
    <message>
        <source>Without hands</source>
        <translation>没有干预</translation>
    </message>
    <message>
        <source>Go back to this answer; the other stays as a branch</source>
        <translation>回到这条回答；另一条作为分支保留</translation>
    </message>
    <message>
        <source>Go back to the answer before</source>
        <translation>回到之前的回答</translation>
    </message>
    <message>
        <source>The answer before</source>
        <translation>之前的回答</translation>
    </message>
    <message>
        <source>Calls &lt;b&gt;%1&lt;/b&gt;</source>
        <translation>调用 &lt;b&gt;%1&lt;/b&gt;</translation>
    </message>
    <message>
        <source>What it returns, such as {"temperature": 21}</source>
        <translation>它返回什么，例如 {"temperature": 21}</translation>
    </message>
    <message>
        <source>What the call %1 returns</source>
        <translation>调用 %1 返回的内容</translation>
    </message>
    <message>
        <source>Return</source>
        <translation>返回</translation>
    </message>
    <message>
        <source>Return to %1</source>
        <translation>返回给 %1</translation>
    </message>
    <message>
        <source>The model goes on when all calls of this answer have returned</source>
        <translation>这个回答的所有调用都返回后，模型才会继续</translation>
    </message>
    <message>
        <source>What the model is told before the conversation</source>
        <translation>对话开始之前告诉模型的内容</translation>
    </message>
    <message>
        <source>What the model may call; you say what a call returns</source>
        <translation>模型可以调用什么；调用返回什么由你来说</translation>
    </message>
    <message>
        <source>System prompt</source>
        <translation>系统提示词</translation>
    </message>
    <message>
        <source>What the model is told before the conversation, such as: Answer in one sentence.</source>
        <translation>对话开始之前告诉模型的内容，例如：用一句话回答。</translation>
    </message>
    <message>
        <source>Tools</source>
        <translation>工具</translation>
    </message>
    <message>
        <source>The tools that the model may call, as OpenAI's API has them:</source>
        <translation>模型可以调用的工具，写法与 OpenAI 的 API 相同：</translation>
    </message>
    <message>
        <source>Load it on the CPU</source>
        <translation>在 CPU 上加载</translation>
    </message>
    <message>
        <source>Load it again</source>
        <translation>重新加载</translation>
    </message>
    <message>
        <source>Load the embedded model</source>
        <translation>加载内置模型</translation>
    </message>
    <message>
        <source>Open a folder…</source>
        <translation>打开文件夹…</translation>
    </message>
    <message>
        <source>Roll on</source>
        <translation>滚动继续</translation>
    </message>
    <message>
        <source>The oldest tokens are dropped from the latent cache as new ones come. The KDA states, which have seen everything, go on; attention is exact over what is left</source>
        <translation>新词元到来时，最旧的词元从潜在缓存中丢弃。看过全部内容的 KDA 状态继续保留；对留下的部分，注意力是精确的</translation>
    </message>
    <message>
        <source>Sum up</source>
        <translation>总结</translation>
    </message>
    <message>
        <source>The model sums the talk up and goes on from that and the last exchange. Nothing is removed from the chat</source>
        <translation>模型把对话总结一遍，然后凭总结和最后一轮对话继续。对话里的内容一条也不会删除</translation>
    </message>
    <message>
        <source>New chat</source>
        <translation>新对话</translation>
    </message>
    <message>
        <source>This one stays as it is</source>
        <translation>这个对话保持不变</translation>
    </message>
    <message>
        <source>Tint</source>
        <translation>着色</translation>
    </message>
    <message>
        <source>Colour the words by a number of their tokens</source>
        <translation>按词元的数值给文字着色</translation>
    </message>
    <message>
        <source>What the words are coloured by</source>
        <translation>文字按什么着色</translation>
    </message>
    <message>
        <source>&amp;Nothing</source>
        <translation>无(&amp;N)</translation>
    </message>
    <message>
        <source>&amp;Surprise</source>
        <translation>意外程度(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Update norm, median of all heads</source>
        <translation>更新范数，所有头的中位数(&amp;U)</translation>
    </message>
    <message>
        <source>Update norm of the chosen &amp;head</source>
        <translation>所选头的更新范数(&amp;H)</translation>
    </message>
    <message>
        <source>What is &amp;left in the chosen head</source>
        <translation>所选头中的剩余(&amp;L)</translation>
    </message>
    <message>
        <source>&amp;Difference from the other branch</source>
        <translation>与另一分支的差异(&amp;D)</translation>
    </message>
    <message>
        <source>Tint  •</source>
        <translation>着色  •</translation>
    </message>
    <message>
        <source>Find in this chat</source>
        <translation>在此对话中查找</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Previous place</source>
        <translation>上一处</translation>
    </message>
    <message>
        <source>Previous place (Shift+Enter)</source>
        <translation>上一处（Shift+Enter）</translation>
    </message>
    <message>
        <source>Next place</source>
        <translation>下一处</translation>
    </message>
    <message>
        <source>Next place (Enter)</source>
        <translation>下一处（Enter）</translation>
    </message>
    <message>
        <source>Close the search</source>
        <translation>关闭查找</translation>
    </message>
    <message>
        <source>Close the search (Esc)</source>
        <translation>关闭查找（Esc）</translation>
    </message>
    <message>
        <source>not found</source>
        <translation>未找到</translation>
    </message>
    <message>
        <source>%1 of %2</source>
        <translation>%1 / %2</translation>
    </message>
    <message>
        <source>The tools are not what they were: %1.</source>
        <translation>工具没有更改：%1。</translation>
    </message>
    <message>
        <source>Mend the text, or empty it.</source>
        <translation>请修改这段文字，或者把它清空。</translation>
    </message>
    <message>
        <source>Title of the chat</source>
        <translation>对话标题</translation>
    </message>
    <message>
        <source>System prompt  •</source>
        <translation>系统提示词  •</translation>
    </message>
    <message>
        <source>System prompt: none</source>
        <translation>系统提示词：无</translation>
    </message>
    <message>
        <source>System prompt: set</source>
        <translation>系统提示词：已设置</translation>
    </message>
    <message>
        <source>Tools  •</source>
        <translation>工具  •</translation>
    </message>
    <message>
        <source>Tools: none</source>
        <translation>工具：无</translation>
    </message>
    <message>
        <source>Tools: declared</source>
        <translation>工具：已声明</translation>
    </message>
    <message>
        <source>The context of %1 is full.</source>
        <translation>%1的上下文已满。</translation>
    </message>
    <message>
        <source>This model's attention rotates keys by their positions, so what is left of its cache cannot be moved up</source>
        <translation>这个模型的注意力按位置旋转键，因此缓存中剩下的部分不能前移</translation>
    </message>
    <message>
        <source>The model is loading; then it answers.</source>
        <translation>模型正在加载，加载完就会回答。</translation>
    </message>
    <message>
        <source>The device failed. What was said is kept; the model is not loaded any more.</source>
        <translation>设备出错。已说的内容都保留着；模型已不在内存中。</translation>
    </message>
    <message>
        <source>No model is loaded. A message loads one and is answered.</source>
        <translation>没有加载模型。发一条消息就会加载一个并得到回答。</translation>
    </message>
    <message>
        <source>Export the chat</source>
        <translation>导出对话</translation>
    </message>
    <message>
        <source>The shown line as Markdown (*.md);;All branches as JSON (*.json)</source>
        <translation>当前显示的分支，Markdown (*.md);;所有分支，JSON (*.json)</translation>
    </message>
    <message>
        <source>Written: %1</source>
        <translation>已写入：%1</translation>
    </message>
    <message>
        <source>Import a chat</source>
        <translation>导入对话</translation>
    </message>
    <message>
        <source>Chats (*.json)</source>
        <translation>对话 (*.json)</translation>
    </message>
    <message>
        <source>Another window of this program uses the same conversations (%1); a chat that both go on with goes on here in a copy</source>
        <translation>本程序的另一个窗口也在使用这些对话（%1）；如果两边都接着同一个对话往下说，这边会在副本里继续</translation>
    </message>
    <message>
        <source>%1 (and %2 more)</source>
        <translation>%1（另有 %2 条）</translation>
    </message>
    <message>
        <source>Nothing was changed or thrown away.</source>
        <translation>没有更改或丢弃任何内容。</translation>
    </message>
    <message>
        <source>What is said is kept in memory only: %1.</source>
        <translation>已说的内容只保存在内存中：%1。</translation>
    </message>
    <message>
        <source>Make room or make the folder writable; all of it is written with the next message.</source>
        <translation>请腾出空间或让文件夹可写；发送下一条消息时会把全部内容写入。</translation>
    </message>
    <message>
        <source>Both are in the list.</source>
        <translation>两个都在列表里。</translation>
    </message>
    <message>
        <source>Fork</source>
        <translation>分叉</translation>
    </message>
    <message>
        <source>%1 (fork)</source>
        <translation>%1（分叉）</translation>
    </message>
    <message>
        <source>This token was fed, not made by the model: there was nothing to choose.</source>
        <translation>这个词元是输入的，不是模型生成的：当时没有什么可选。</translation>
    </message>
    <message>
        <source>The last turn is undone; it stays as a branch.</source>
        <translation>最后一轮已撤销；它作为分支保留。</translation>
    </message>
    <message>
        <source>Go ahead</source>
        <translation>前进</translation>
    </message>
    <message>
        <source>Bring back</source>
        <translation>恢复</translation>
    </message>
    <message>
        <source>“%1” is hidden; its file stays.</source>
        <translation>“%1”已隐藏；文件仍然保留。</translation>
    </message>
    <message>
        <source>%1 has %2, more than the %3 a chat may have</source>
        <translation>%1 有 %2，超过了一个对话的上限 %3</translation>
    </message>
    <message>
        <source>Imported</source>
        <translation>导入的对话</translation>
    </message>
    <message>
        <source>An answer is being played again: what you asked for needs the conversation as it stands now.</source>
        <translation>正在重新播放一条回答：您要做的事需要对话的当前状态。</translation>
    </message>
    <message>
        <source>This is a recording: nothing can be said to it.</source>
        <translation>这是录制的内容：不能对它说话。</translation>
    </message>
    <message>
        <source>Back to now</source>
        <translation>回到现在</translation>
    </message>
    <message>
        <source>Leave the replay</source>
        <translation>退出回放</translation>
    </message>
    <message>
        <source>An answer is being made.</source>
        <translation>正在生成回答。</translation>
    </message>
    <message>
        <source>Stop it</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>No model is loaded, so nobody can answer.</source>
        <translation>没有加载模型，无法回答。</translation>
    </message>
    <message>
        <source>The model is still loading; what you asked for before is done first.</source>
        <translation>模型还在加载；会先完成你之前要求的事。</translation>
    </message>
    <message>
        <source>This model's context cannot roll on: its attention rotates keys by their positions.</source>
        <translation>这个模型的上下文不能滚动继续：它的注意力按位置旋转键。</translation>
    </message>
    <message>
        <source>Let it sum the talk up instead.</source>
        <translation>改为让它总结对话。</translation>
    </message>
    <message>
        <source>There is nothing to sum up yet: the message alone does not fit.</source>
        <translation>还没有可以总结的内容：光这一条消息就放不下。</translation>
    </message>
    <message>
        <source>Shorten it, or let the context roll on.</source>
        <translation>请缩短消息，或者让上下文滚动继续。</translation>
    </message>
    <message>
        <source>A summary is not answered.</source>
        <translation>总结不会得到回答。</translation>
    </message>
    <message>
        <source>Send a message.</source>
        <translation>请发送一条消息。</translation>
    </message>
    <message>
        <source>With these settings the model says the same again: it always takes the most probable token.</source>
        <translation>按这些设置，模型会再说一遍同样的话：它总是取概率最大的词元。</translation>
    </message>
    <message>
        <source>Vary this once</source>
        <translation>这次换个说法</translation>
    </message>
    <message>
        <source>costs nothing: the memory stands there</source>
        <translation>没有代价：记忆就停在那里</translation>
    </message>
    <message>
        <source>restore %1</source>
        <translation>恢复 %1</translation>
    </message>
    <message>
        <source>replay %1</source>
        <translation>重放 %1</translation>
    </message>
    <message>
        <source>Recording: %1</source>
        <translation>录制：%1</translation>
    </message>
    <message>
        <source>This is a recording: nothing in it can be changed. Load a model to lay hands on its memory.</source>
        <translation>这是录制：其中什么都不能改。加载一个模型即可干预它的记忆。</translation>
    </message>
    <message>
        <source>Another program serves this model, and its memory is out of reach from here.</source>
        <translation>这个模型由另一个程序提供，从这里够不到它的记忆。</translation>
    </message>
    <message>
        <source>Load a model, and its memory can be changed here.</source>
        <translation>加载一个模型后，可以在这里改动它的记忆。</translation>
    </message>
    <message>
        <source>Ask something first: the answer is made again under the hand, beside the one that stands.</source>
        <translation>先问点什么：回答会在干预下重新生成，放在已有的那条旁边。</translation>
    </message>
    <message>
        <source>This answer has no question that could be asked again.</source>
        <translation>这条回答没有可以再问一次的问题。</translation>
    </message>
    <message>
        <source>This answer is of another model. Regenerate it first, so that the two that are compared are of one.</source>
        <translation>这条回答来自另一个模型。请先重新生成，使相比较的两条出自同一个模型。</translation>
    </message>
    <message>
        <source>The question of this answer is not in the model's memory any more: it was summed up.</source>
        <translation>这条回答的问题已不在模型的记忆里：它被总结掉了。</translation>
    </message>
    <message>
        <source>Ask something.</source>
        <translation>问点什么吧。</translation>
    </message>
    <message>
        <source>Only what stands before the answer can be hidden from it.</source>
        <translation>只有位于回答之前的内容才能对它隐藏。</translation>
    </message>
    <message>
        <source>Choose tokens further up, or ask something more.</source>
        <translation>请选择更靠前的词元，或再问一句。</translation>
    </message>
    <message>
        <source>That is how it is already.</source>
        <translation>现在就是这样。</translation>
    </message>
    <message>
        <source>Code</source>
        <translation>代码</translation>
    </message>
    <message>
        <source>%1 code</source>
        <translation>%1 代码</translation>
    </message>
    <message>
        <source>code</source>
        <translation>代码</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Copy the code</source>
        <translation>复制代码</translation>
    </message>
    <message>
        <source>Editing a message: sending makes a branch, the old one stays.</source>
        <translation>正在编辑消息：发送后成为新分支，旧的保留。</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Stop editing</source>
        <translation>停止编辑</translation>
    </message>
    <message>
        <source>Attach</source>
        <translation>附件</translation>
    </message>
    <message>
        <source>Attach a text file</source>
        <translation>附加一个文本文件</translation>
    </message>
    <message>
        <source>Put a text file into the message; it may also be dropped here</source>
        <translation>把一个文本文件放进消息；也可以直接拖到这里</translation>
    </message>
    <message>
        <source>A text file</source>
        <translation>文本文件</translation>
    </message>
    <message>
        <source>Send</source>
        <translation>发送</translation>
    </message>
    <message>
        <source>Pasted text</source>
        <translation>粘贴的文字</translation>
    </message>
    <message>
        <source>Editing an answer: the model goes on from what you leave here, on a branch; the old answer stays.</source>
        <translation>正在编辑回答：模型在新分支上从你留下的内容继续；旧回答保留。</translation>
    </message>
    <message>
        <source>%1 has %2, more than the %3 of a message.</source>
        <translation>%1 有 %2，超过了一条消息的上限 %3。</translation>
    </message>
    <message>
        <source>%1 is not a text file.</source>
        <translation>%1 不是文本文件。</translation>
    </message>
    <message>
        <source>%1, %2</source>
        <translation>%1，%2</translation>
    </message>
    <message>
        <source>Attached: %1. Press to take it away</source>
        <translation>附件：%1。按一下可移除</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Stop the answer</source>
        <translation>停止回答</translation>
    </message>
    <message>
        <source>Send the message</source>
        <translation>发送消息</translation>
    </message>
    <message>
        <source>Stop within one token; what was said is kept (Esc)</source>
        <translation>在一个词元之内停止；已说的内容保留（Esc）</translation>
    </message>
    <message>
        <source>Send (Enter or Ctrl+Enter; Shift+Enter begins a new line)</source>
        <translation>发送（Enter 或 Ctrl+Enter；Shift+Enter 换行）</translation>
    </message>
    <message>
        <source>An answer is played again; go back to now to talk</source>
        <translation>正在重新播放一条回答；回到现在后可以对话</translation>
    </message>
    <message>
        <source>A recording plays here; leave it to talk</source>
        <translation>这里正在回放录制内容；退出后可以对话</translation>
    </message>
    <message>
        <source>Message: it is answered when the model is loaded</source>
        <translation>消息：模型加载完后回答</translation>
    </message>
    <message>
        <source>Message both sides</source>
        <translation>给两侧发消息</translation>
    </message>
    <message>
        <source>Message %1</source>
        <translation>给 %1 发消息</translation>
    </message>
    <message>
        <source>Message: load a model first</source>
        <translation>消息：请先加载模型</translation>
    </message>
    <message>
        <source>Message: the model loads again and answers</source>
        <translation>消息：模型会重新加载并回答</translation>
    </message>
    <message>
        <source>Message: the embedded model loads and answers</source>
        <translation>消息：内置模型会加载并回答</translation>
    </message>
    <message>
        <source>cut %1</source>
        <translation>超出 %1</translation>
    </message>
    <message>
        <source>%1 of the context's %2 tokens with this message</source>
        <translation>加上这条消息，占用 %1 / %2 个词元的上下文</translation>
    </message>
    <message>
        <source>%1: %2 too many, so shorten it, rewind or begin a new chat</source>
        <translation>%1：多出 %2，请缩短、回退或开始新对话</translation>
    </message>
    <message>
        <source>%1: the oldest make room</source>
        <translation>%1：最旧的词元让出位置</translation>
    </message>
    <message>
        <source>%1: the talk is summed up first</source>
        <translation>%1：先总结对话</translation>
    </message>
    <message>
        <source>%1; %2 are left for the answer</source>
        <translation>%1；还剩 %2 个可用于回答</translation>
    </message>
    <message>
        <source>Message</source>
        <translation>消息</translation>
    </message>
    <message>
        <source>Enter sends, Shift+Enter begins a new line, Up edits the last message</source>
        <translation>Enter 发送，Shift+Enter 换行，向上键编辑上一条消息</translation>
    </message>
    <message>
        <source>Search (Ctrl+K)</source>
        <translation>搜索（Ctrl+K）</translation>
    </message>
    <message>
        <source>Search the conversations</source>
        <translation>搜索所有对话</translation>
    </message>
    <message>
        <source>New</source>
        <translation>新建</translation>
    </message>
    <message>
        <source>New chat (Ctrl+N)</source>
        <translation>新对话（Ctrl+N）</translation>
    </message>
    <message>
        <source>Conversations</source>
        <translation>对话列表</translation>
    </message>
    <message>
        <source>off</source>
        <translation>关</translation>
    </message>
    <message>
        <source>Budget of the snapshots</source>
        <translation>快照的内存上限</translation>
    </message>
    <message>
        <source>Memory for frozen states. With more of them, rewinding, branching and switching chats replay fewer tokens</source>
        <translation>存放冻结状态的内存。快照越多，回退、分支和切换对话时需要重放的词元就越少</translation>
    </message>
    <message>
        <source>Budget of the states on disk</source>
        <translation>磁盘状态的上限</translation>
    </message>
    <message>
        <source>Disk for the ends of chats, so that one opens where it stood; the least recently used make room. klp in the terminal uses the same files</source>
        <translation>存放各对话末尾状态的磁盘空间，使对话一打开就停在原处；最久没用的会让出位置。终端里的 klp 使用同一批文件</translation>
    </message>
    <message>
        <source>New folder</source>
        <translation>新建文件夹</translation>
    </message>
    <message>
        <source>New folder %1</source>
        <translation>新建文件夹 %1</translation>
    </message>
    <message>
        <source>No conversations yet: what you say is kept here.</source>
        <translation>还没有对话：你说的内容会保存在这里。</translation>
    </message>
    <message>
        <source>Nothing is found. Words are looked for in titles and in what was said.</source>
        <translation>没有找到。会在标题和对话内容中查找。</translation>
    </message>
    <message>
        <source>No snapshots: a recording</source>
        <translation>没有快照：正在回放</translation>
    </message>
    <message>
        <source>No snapshots: no model</source>
        <translation>没有快照：没有模型</translation>
    </message>
    <message>
        <source>In memory: frozen states of the model's memory: KDA states and convolution tails copied, pages of the MLA cache shared</source>
        <translation>内存中：模型记忆的冻结状态。KDA 状态和卷积缓存为副本，MLA 缓存按页共享</translation>
    </message>
    <message>
        <source>No ends on disk</source>
        <translation>磁盘上没有末尾状态</translation>
    </message>
    <message>
        <source>The ends of chats on disk, with which one opens where it stood. The last one, %1, took %2</source>
        <translation>磁盘上各对话的末尾状态，使对话一打开就停在原处。最近一个 %1，用时 %2</translation>
    </message>
    <message>
        <source>The ends of chats on disk, with which one opens where it stood</source>
        <translation>磁盘上各对话的末尾状态，使对话一打开就停在原处</translation>
    </message>
    <message>
        <source>&amp;Rename</source>
        <translation>重命名(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Dissolve the folder (its chats stay)</source>
        <translation>解散文件夹（其中的对话保留）(&amp;D)</translation>
    </message>
    <message>
        <source>&amp;Folder</source>
        <translation>文件夹(&amp;F)</translation>
    </message>
    <message>
        <source>None</source>
        <translation>无</translation>
    </message>
    <message>
        <source>&amp;New folder</source>
        <translation>新建文件夹(&amp;N)</translation>
    </message>
    <message>
        <source>Re&amp;move the chat (its file stays)</source>
        <translation>移除对话（文件保留）(&amp;M)</translation>
    </message>
    <message>
        <source>&amp;Go there</source>
        <translation>转到那里(&amp;G)</translation>
    </message>
    <message>
        <source>Re&amp;move this branch (%1)</source>
        <translation>移除此分支（%1）(&amp;M)</translation>
    </message>
    <message>
        <source>You said it</source>
        <translation>你说的</translation>
    </message>
    <message>
        <source>The model said it</source>
        <translation>模型说的</translation>
    </message>
    <message>
        <source>branch %1: %2</source>
        <translation>分支 %1：%2</translation>
    </message>
    <message>
        <source>on branch %1 of %2</source>
        <translation>位于分支 %1 / %2</translation>
    </message>
    <message>
        <source>(no text)</source>
        <translation>（无文字）</translation>
    </message>
    <message>
        <source>parts at message %1 of %2</source>
        <translation>从第 %1 条消息（共 %2 条）分开</translation>
    </message>
    <message>
        <source>d MMMM yyyy, hh:mm</source>
        <comment>date</comment>
        <translation>yyyy年M月d日 hh:mm</translation>
    </message>
    <message>
        <source>Folder, folded: %1</source>
        <translation>文件夹，已折叠：%1</translation>
    </message>
    <message>
        <source>Folder: %1</source>
        <translation>文件夹：%1</translation>
    </message>
    <message>
        <source>Chat: %1</source>
        <translation>对话：%1</translation>
    </message>
    <message>
        <source>Found: %1</source>
        <translation>找到：%1</translation>
    </message>
    <message>
        <source>Branch: %1</source>
        <translation>分支：%1</translation>
    </message>
    <message>
        <source>, open</source>
        <translation>，已打开</translation>
    </message>
    <message>
        <source>Histogram of half-lives</source>
        <translation>半衰期直方图</translation>
    </message>
    <message>
        <source>%1. Median %2 tokens.</source>
        <translation>%1。中位数 %2 个词元。</translation>
    </message>
    <message>
        <source>%1 of %2 heads (%3)</source>
        <translation>%2 个头中的 %1 个（%3）</translation>
    </message>
    <message>
        <source>%1 of %2 channels (%3)</source>
        <translation>%1 / %2 个通道（%3）</translation>
    </message>
    <message>
        <source>half-life ∞ (α = 1): %1</source>
        <translation>半衰期 ∞（α = 1）：%1</translation>
    </message>
    <message>
        <source>up to %1</source>
        <translation>至多 %1</translation>
    </message>
    <message>
        <source>from %1</source>
        <translation>%1 以上</translation>
    </message>
    <message>
        <source>%1 to %2</source>
        <translation>%1 至 %2</translation>
    </message>
    <message>
        <source>half-life %1 tokens (%2): %3; %4 %5</source>
        <translation>半衰期 %1 个词元（%2）：%3；%4 %5</translation>
    </message>
    <message>
        <source>32k tokens</source>
        <translation>32k 词元</translation>
    </message>
    <message>
        <source>half-lives times</source>
        <translation>半衰期乘以</translation>
    </message>
    <message>
        <source>writing strength β times</source>
        <translation>写入强度 β 乘以</translation>
    </message>
    <message>
        <source>no writing</source>
        <translation>不写入</translation>
    </message>
    <message>
        <source>no reading of the state</source>
        <translation>不读取状态</translation>
    </message>
    <message>
        <source>empty the state</source>
        <translation>清空状态</translation>
    </message>
    <message>
        <source>hide tokens from the caches</source>
        <translation>对缓存隐藏词元</translation>
    </message>
    <message>
        <source>no reading of the cache</source>
        <translation>不读取缓存</translation>
    </message>
    <message>
        <source>silence the expert</source>
        <translation>让专家静默</translation>
    </message>
    <message>
        <source>from the first token</source>
        <translation>从第一个词元起</translation>
    </message>
    <message>
        <source>Answer again so</source>
        <translation>如此重新回答</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>撤销</translation>
    </message>
    <message>
        <source>%1, hands on the memory</source>
        <translation>%1，干预记忆</translation>
    </message>
    <message>
        <source>%1, what is changed</source>
        <translation>%1，改动什么</translation>
    </message>
    <message>
        <source>%1, of which part</source>
        <translation>%1，改动哪一部分</translation>
    </message>
    <message>
        <source>%1, dial</source>
        <translation>%1，刻度</translation>
    </message>
    <message>
        <source>Four steps are twice as much; × 1 changes nothing</source>
        <translation>四步为两倍；× 1 不改变任何东西</translation>
    </message>
    <message>
        <source>%1, the whole conversation under it</source>
        <translation>%1，整个对话都在干预之下</translation>
    </message>
    <message>
        <source>The whole conversation is read again under it; else it begins with the last question</source>
        <translation>整个对话在干预下重新读一遍；否则从最后一个问题开始</translation>
    </message>
    <message>
        <source>%1, answer again under this hand</source>
        <translation>%1，在此干预下重新回答</translation>
    </message>
    <message>
        <source>The last question is answered again, from the same memory and with the same seed, on a branch of its own; this answer stays</source>
        <translation>最后一个问题从同样的记忆、用同样的种子在另一分支上重新回答；这条回答保留</translation>
    </message>
    <message>
        <source>%1, undo the last hand</source>
        <translation>%1，撤销最近的干预</translation>
    </message>
    <message>
        <source>Back to the answer that this one was laid beside; nothing is lost</source>
        <translation>回到与这条并列的那条回答；什么都不会丢失</translation>
    </message>
    <message>
        <source>Copy as JSON</source>
        <translation>复制为 JSON</translation>
    </message>
    <message>
        <source>%1, copy the hands in force as JSON</source>
        <translation>%1，将生效的干预复制为 JSON</translation>
    </message>
    <message>
        <source>What is in force, as klp chat, run and logits take it with --intervene, and klp serve as "intervene"</source>
        <translation>生效的内容：klp chat、run 和 logits 用 --intervene 读取它，klp serve 用 "intervene"</translation>
    </message>
    <message>
        <source>What is in force is on the clipboard</source>
        <translation>生效的内容已在剪贴板上</translation>
    </message>
    <message>
        <source>the channel</source>
        <translation>该通道</translation>
    </message>
    <message>
        <source>the head</source>
        <translation>该头</translation>
    </message>
    <message>
        <source>the layer</source>
        <translation>该层</translation>
    </message>
    <message>
        <source>all caches</source>
        <translation>全部缓存</translation>
    </message>
    <message>
        <source>all states</source>
        <translation>全部状态</translation>
    </message>
    <message>
        <source>Choose a token, or a stretch of them in the timeline, to hide it from the caches.</source>
        <translation>选择一个词元，或在时间线上选一段，以对缓存隐藏。</translation>
    </message>
    <message>
        <source>This model has no experts.</source>
        <translation>这个模型没有专家。</translation>
    </message>
    <message>
        <source>Click an expert in the map to choose it.</source>
        <translation>点击图中的一个专家来选择它。</translation>
    </message>
    <message>
        <source>This model has no latent cache.</source>
        <translation>这个模型没有潜在缓存。</translation>
    </message>
    <message>
        <source>This model has no states.</source>
        <translation>这个模型没有状态。</translation>
    </message>
    <message>
        <source>× %1</source>
        <translation>× %1</translation>
    </message>
    <message>
        <source>In force: %1</source>
        <translation>生效：%1</translation>
    </message>
    <message>
        <source>Nothing is changed on this branch.</source>
        <translation>这条分支上没有任何改动。</translation>
    </message>
    <message>
        <source>%1, layer</source>
        <translation>%1，层</translation>
    </message>
    <message>
        <source>Layer that keeps a state, counted from 0 as in the checkpoint; the selection follows, and so do the other lenses</source>
        <translation>保有状态的层，与检查点一样从 0 数起；选择随之改变，其他镜头也一样</translation>
    </message>
    <message>
        <source>%1, head</source>
        <translation>%1，头</translation>
    </message>
    <message>
        <source>Head of this layer</source>
        <translation>该层的头</translation>
    </message>
    <message>
        <source>Layer %1</source>
        <translation>第 %1 层</translation>
    </message>
    <message>
        <source>Head %1</source>
        <translation>第 %1 头</translation>
    </message>
    <message>
        <source>Nothing yet.</source>
        <translation>还没有内容。</translation>
    </message>
    <message>
        <source>Key: %1</source>
        <translation>图例：%1</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>快捷键</translation>
    </message>
    <message>
        <source>Search</source>
        <translation>搜索</translation>
    </message>
    <message>
        <source>Search the keys</source>
        <translation>搜索快捷键</translation>
    </message>
    <message>
        <source>What</source>
        <translation>操作</translation>
    </message>
    <message>
        <source>Key</source>
        <translation>按键</translation>
    </message>
    <message>
        <source>In the message box</source>
        <translation>在消息框中</translation>
    </message>
    <message>
        <source>Enter</source>
        <translation>Enter</translation>
    </message>
    <message>
        <source>A new line</source>
        <translation>换行</translation>
    </message>
    <message>
        <source>Shift+Enter</source>
        <translation>Shift+Enter</translation>
    </message>
    <message>
        <source>Edit the last message, when the box is empty</source>
        <translation>编辑上一条消息（消息框为空时）</translation>
    </message>
    <message>
        <source>Up</source>
        <translation>向上键</translation>
    </message>
    <message>
        <source>Give up editing</source>
        <translation>放弃编辑</translation>
    </message>
    <message>
        <source>Esc</source>
        <translation>Esc</translation>
    </message>
    <message>
        <source>On a message</source>
        <translation>在消息上</translation>
    </message>
    <message>
        <source>What can be done with it</source>
        <translation>可以对它做什么</translation>
    </message>
    <message>
        <source>Enter or Space</source>
        <translation>Enter 或空格</translation>
    </message>
    <message>
        <source>Copy it</source>
        <translation>复制它</translation>
    </message>
    <message>
        <source>Ctrl+C</source>
        <translation>Ctrl+C</translation>
    </message>
    <message>
        <source>In the list of conversations</source>
        <translation>在对话列表中</translation>
    </message>
    <message>
        <source>From the search box into the list</source>
        <translation>从搜索框进入列表</translation>
    </message>
    <message>
        <source>Down</source>
        <translation>向下键</translation>
    </message>
    <message>
        <source>Open the first that was found</source>
        <translation>打开找到的第一个</translation>
    </message>
    <message>
        <source>Open what is chosen</source>
        <translation>打开选中的</translation>
    </message>
    <message>
        <source>Rename</source>
        <translation>重命名</translation>
    </message>
    <message>
        <source>F2</source>
        <translation>F2</translation>
    </message>
    <message>
        <source>Remove the chat or the branch; it can be brought back</source>
        <translation>移除对话或分支；可以恢复</translation>
    </message>
    <message>
        <source>Delete</source>
        <comment>key</comment>
        <translation>Delete</translation>
    </message>
    <message>
        <source>On a picture</source>
        <translation>在图上</translation>
    </message>
    <message>
        <source>Go through its cells</source>
        <translation>逐格移动</translation>
    </message>
    <message>
        <source>Arrow keys</source>
        <translation>方向键</translation>
    </message>
    <message>
        <source>Choose the cell</source>
        <translation>选中该格</translation>
    </message>
    <message>
        <source>Task</source>
        <translation>任务</translation>
    </message>
    <message>
        <source>Tokens of a row</source>
        <translation>每行词元数</translation>
    </message>
    <message>
        <source>Stacks</source>
        <translation>栈</translation>
    </message>
    <message>
        <source>Different tokens</source>
        <translation>不同词元数</translation>
    </message>
    <message>
        <source>Layers</source>
        <translation>层数</translation>
    </message>
    <message>
        <source>Heads</source>
        <translation>头数</translation>
    </message>
    <message>
        <source>Width</source>
        <translation>宽度</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>步数</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>随机种子</translation>
    </message>
    <message>
        <source>Try three learning rates first</source>
        <translation>先试三种学习率</translation>
    </message>
    <message>
        <source>Each mixer gets the rate that a short search finds for it; without that a comparison is of rates</source>
        <translation>每种混合器用短暂搜索为它找到的学习率；否则比的就是学习率</translation>
    </message>
    <message>
        <source>Who learns</source>
        <translation>谁来学</translation>
    </message>
    <message>
        <source>With something left out, or otherwise</source>
        <translation>少一部分，或换一种做法</translation>
    </message>
    <message>
        <source>such as %1</source>
        <translation>如 %1</translation>
    </message>
    <message>
        <source>Others, by their names</source>
        <translation>其他，按名字</translation>
    </message>
    <message>
        <source>A rule, and behind + what is otherwise: swish, no-gate, no-conv, 3:1 (three layers with a state for one of attention), rope, nope</source>
        <translation>一条规则，+ 之后是不同之处：swish、no-gate、no-conv、3:1（三个带状态的层配一个注意力层）、rope、nope</translation>
    </message>
    <message>
        <source>Lab: rules of memory that learn</source>
        <translation>实验室：会学习的记忆规则</translation>
    </message>
    <message>
        <source>Curves by</source>
        <translation>曲线横轴</translation>
    </message>
    <message>
        <source>by step</source>
        <translation>按步</translation>
    </message>
    <message>
        <source>by second</source>
        <translation>按秒</translation>
    </message>
    <message>
        <source>Steps compare what is learned of the same rows, seconds what it costs: those of each learner's own steps</source>
        <translation>按步比较从同样的行学到了什么，按秒比较代价：各自步骤所用的时间</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>开始</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Learn on</source>
        <translation>继续学</translation>
    </message>
    <message>
        <source>So many steps more of each, with rates that rise and fall anew</source>
        <translation>每个再学这么多步，学习率重新升降一次</translation>
    </message>
    <message>
        <source>Steps more</source>
        <translation>再学步数</translation>
    </message>
    <message>
        <source>Answers that are right</source>
        <translation>答对的比例</translation>
    </message>
    <message>
        <source>Loss</source>
        <translation>损失</translation>
    </message>
    <message>
        <source>Half-lives of gates</source>
        <translation>门的半衰期</translation>
    </message>
    <message>
        <source>Learners</source>
        <translation>学习者</translation>
    </message>
    <message>
        <source>Open it</source>
        <translation>打开它</translation>
    </message>
    <message>
        <source>The chosen learner becomes the model of the window: it can be asked, and every lens looks into it</source>
        <translation>选中的学习者成为窗口的模型：可以问它，每个透镜都能看进去</translation>
    </message>
    <message>
        <source>Save…</source>
        <translation>保存…</translation>
    </message>
    <message>
        <source>All numbers, as klp lab -o writes them</source>
        <translation>全部数字，与 klp lab -o 所写相同</translation>
    </message>
    <message>
        <source>Lay beside…</source>
        <translation>并排显示…</translation>
    </message>
    <message>
        <source>The curves of a saved run, dashed</source>
        <translation>已保存实验的曲线，虚线</translation>
    </message>
    <message>
        <source>A result of klp lab</source>
        <translation>klp lab 的结果</translation>
    </message>
    <message>
        <source>Results of the lab (*.json)</source>
        <translation>实验室结果 (*.json)</translation>
    </message>
    <message>
        <source>Choose a task and who is to learn it, and press Start. All learn from the same rows, in turns, step by step.</source>
        <translation>选一个任务和学它的规则，然后按“开始”。大家轮流一步一步从同样的行中学习。</translation>
    </message>
    <message>
        <source>%1 stopped: %2</source>
        <translation>%1 停下了：%2</translation>
    </message>
    <message>
        <source>%1 of %2 steps</source>
        <translation>%1 / %2 步</translation>
    </message>
    <message>
        <source>%1. Paused at %2; a learner can be opened as it is now.</source>
        <translation>%1。已暂停于 %2；可以按现在的样子打开某个学习者。</translation>
    </message>
    <message>
        <source>%1. Learning rates are tried: %2.</source>
        <translation>%1。正在试学习率：%2。</translation>
    </message>
    <message>
        <source>%1. They learn: %2.</source>
        <translation>%1。正在学习：%2。</translation>
    </message>
    <message>
        <source>%1. Stopped before anything was learned.</source>
        <translation>%1。还没学到什么就停下了。</translation>
    </message>
    <message>
        <source>%1. After %2, %3 of the answers of %4 are right.</source>
        <translation>%1。%2后，%4 的回答有 %3 正确。</translation>
    </message>
    <message>
        <source>%1. After %2, %3 of the answers of %4 are right, and %5 of those of %6.</source>
        <translation>%1。%2后，%4 的回答有 %3 正确，%6 的有 %5 正确。</translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>seconds of its own steps</source>
        <translation>各自步骤的秒数</translation>
    </message>
    <message>
        <source>steps</source>
        <translation>步数</translation>
    </message>
    <message>
        <source>loss, nats an answer</source>
        <translation>损失，每个答案的奈特</translation>
    </message>
    <message>
        <source>answers that are right</source>
        <translation>答对的比例</translation>
    </message>
    <message>
        <source>%1, recorded</source>
        <translation>%1，录制</translation>
    </message>
    <message>
        <source>chance</source>
        <translation>瞎猜</translation>
    </message>
    <message>
        <source>Curves begin when the rates are found.</source>
        <translation>找到学习率后曲线才开始。</translation>
    </message>
    <message>
        <source>10 % are shorter</source>
        <translation>10 % 更短</translation>
    </message>
    <message>
        <source>median</source>
        <translation>中位数</translation>
    </message>
    <message>
        <source>10 % are longer</source>
        <translation>10 % 更长</translation>
    </message>
    <message>
        <source>half-lives of %1, tokens</source>
        <translation>%1 的半衰期，词元</translation>
    </message>
    <message>
        <source>half-lives of gates, tokens</source>
        <translation>门的半衰期，词元</translation>
    </message>
    <message>
        <source>%1 has no gates: its memory does not fade by itself.</source>
        <translation>%1 没有门：它的记忆不会自己消退。</translation>
    </message>
    <message>
        <source>Save the numbers</source>
        <translation>保存数字</translation>
    </message>
    <message>
        <source>Saved: %1</source>
        <translation>已保存：%1</translation>
    </message>
    <message>
        <source>%1 could not be written: %2</source>
        <translation>%1 无法写入：%2</translation>
    </message>
    <message>
        <source>%1 could not be read: %2</source>
        <translation>无法读取 %1：%2</translation>
    </message>
    <message>
        <source>Dashed: %1, seed %2, width %3, from %4</source>
        <translation>虚线：%1，种子 %2，宽度 %3，来自 %4</translation>
    </message>
    <message numerus="yes">
        <source>%Ln word(s)</source>
        <translation>
            <numerusform>%Ln 个词</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln turn(s)</source>
        <translation>
            <numerusform>%Ln 轮</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln message(s) (is|are) hidden.</source>
        <translation>
            <numerusform>已隐藏 %Ln 条消息。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln snapshot(s)</source>
        <translation>
            <numerusform>%Ln 个快照</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln end(s) on disk</source>
        <translation>
            <numerusform>磁盘上 %Ln 个末尾状态</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln message(s)</source>
        <translation>
            <numerusform>%Ln 条消息</numerusform>
        </translation>
    </message>
    <message>
        <source>d MMM</source>
        <comment>date</comment>
        <translation>M月d日</translation>
    </message>
    <message>
        <source>MMM yyyy</source>
        <comment>date</comment>
        <translation>yyyy年M月</translation>
    </message>
    <message numerus="yes">
        <source>%Ln chat(s)</source>
        <translation>
            <numerusform>%Ln 个对话</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln message(s) follow(s|) on a branch.  Go ahead</source>
        <translation>
            <numerusform>分支上后面还有 %Ln 条消息。前进</numerusform>
        </translation>
    </message>
    <message>
        <source>%1 (changed)</source>
        <translation>%1（已修改）</translation>
    </message>
    <message numerus="yes">
        <source>Not known of %Ln of %1 token(s)</source>
        <translation>
            <numerusform>%1 个词元中有 %Ln 个未知</numerusform>
        </translation>
    </message>
    <message>
        <source>n/a</source>
        <translation>无</translation>
    </message>
    <message numerus="yes">
        <source>%Ln token(s)</source>
        <translation>
            <numerusform>%Ln 个词元</numerusform>
        </translation>
    </message>
    <message>
        <source>%1 %2</source>
        <comment>two sentences</comment>
        <translation>%1%2</translation>
    </message>
    <message>
        <source>rows of %1</source>
        <translation>每行%1</translation>
    </message>
    <message>
        <source>endless</source>
        <translation>无穷</translation>
    </message>
    <message>
        <source>It has not begun to learn.</source>
        <translation>还没有开始学。</translation>
    </message>
    <message numerus="yes">
        <source>and %Ln other(s): klp models lists them all</source>
        <translation>
            <numerusform>还有 %Ln 个：klp models 会全部列出</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln core(s)</source>
        <translation>
            <numerusform>%Ln 个核心</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln branch(es) begin here</source>
        <translation>
            <numerusform>从这里分出 %Ln 个分支</numerusform>
        </translation>
    </message>
    <message>
        <source>more</source>
        <comment>time</comment>
        <translation>更久</translation>
    </message>
    <message numerus="yes">
        <source>%Ln reading(s) dropped</source>
        <translation>
            <numerusform>丢弃了 %Ln 条读数</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln pick(s)</source>
        <translation>
            <numerusform>%Ln 次选中</numerusform>
        </translation>
    </message>
    <message>
        <source>syllable</source>
        <translation>音节</translation>
    </message>
    <message>
        <source>phrase</source>
        <translation>短语</translation>
    </message>
    <message>
        <source>sentence</source>
        <translation>句子</translation>
    </message>
    <message>
        <source>paragraph</source>
        <translation>段落</translation>
    </message>
    <message>
        <source>page</source>
        <translation>页</translation>
    </message>
    <message>
        <source>document</source>
        <translation>文档</translation>
    </message>
    <message>
        <source>tokens</source>
        <translation>词元</translation>
    </message>
    <message>
        <source>softplus, unbounded below</source>
        <translation>softplus，无下界</translation>
    </message>
    <message>
        <source>sigmoid, g &gt; %1</source>
        <translation>sigmoid, g &gt; %1</translation>
    </message>
    <message>
        <source>g = %1 · sigmoid(e&lt;sup&gt;A&lt;/sup&gt; · (x + dt)), half-lives above %2 tokens</source>
        <translation>g = %1 · sigmoid(e&lt;sup&gt;A&lt;/sup&gt; · (x + dt))，半衰期大于 %2 个词元</translation>
    </message>
    <message>
        <source>token %1</source>
        <translation>词元 %1</translation>
    </message>
    <message>
        <source>%1 “%2”</source>
        <translation>%1 “%2”</translation>
    </message>
    <message numerus="yes">
        <source>%Ln choice(s)</source>
        <translation>
            <numerusform>%Ln 次选择</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln layer(s)</source>
        <translation>
            <numerusform>%Ln 层</numerusform>
        </translation>
    </message>
    <message>
        <source>State (%1), layer %2, head %3</source>
        <translation>状态（%1），第 %2 层，第 %3 头</translation>
    </message>
    <message>
        <source>Cache (%1), layer %2, head %3</source>
        <translation>缓存（%1），第 %2 层，第 %3 头</translation>
    </message>
    <message numerus="yes">
        <source>%Ln number(s)</source>
        <translation>
            <numerusform>%Ln 个数</numerusform>
        </translation>
    </message>
    <message>
        <source>%1 (%2)</source>
        <translation>%1（%2）</translation>
    </message>
    <message numerus="yes">
        <source>%Ln direction(s)</source>
        <translation>
            <numerusform>%Ln 个方向</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln expert(s)</source>
        <translation>
            <numerusform>%Ln 个专家</numerusform>
        </translation>
    </message>
    <message>
        <source>less than %1</source>
        <translation>不到 %1</translation>
    </message>
    <message>
        <source>more than %1</source>
        <translation>超过 %1</translation>
    </message>
    <message numerus="yes">
        <source>%Ln head(s)</source>
        <translation>
            <numerusform>%Ln 个头</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln channel(s)</source>
        <translation>
            <numerusform>%Ln 个通道</numerusform>
        </translation>
    </message>
    <message>
        <source>full attention</source>
        <translation>全注意力</translation>
    </message>
    <message>
        <source>linear attention</source>
        <translation>线性注意力</translation>
    </message>
    <message>
        <source>decay per head</source>
        <translation>逐头衰减</translation>
    </message>
    <message>
        <source>Nothing has been fed after %1: no decay has touched it yet.</source>
        <translation>%1之后还没有输入任何内容：它尚未衰减。</translation>
    </message>
    <message>
        <source>None of %1 would still hold half of %2, %3 back. The one that keeps it best, in layer %4, head %5, holds %6.</source>
        <translation>全部 %1中，没有一个还能保留 %3之前的%2的一半。保留得最好的在第 %4 层第 %5 头，还剩 %6。</translation>
    </message>
    <message>
        <source>All %1 would still hold half of %2, %3 back, or more.</source>
        <translation>全部 %1都还能保留 %3之前的%2的一半或更多。</translation>
    </message>
    <message>
        <source>Of %1, %2 would still hold half of %3, %4 back.</source>
        <translation>全部 %1中，有 %2 个还能保留 %4之前的%3的一半。</translation>
    </message>
    <message>
        <source>Of %1, %2 would still hold half of %3, %4 back; all of them are in layer %5.</source>
        <translation>全部 %1中，有 %2 个还能保留 %4之前的%3的一半，都在第 %5 层。</translation>
    </message>
    <message>
        <source>Of %1, %2 would still hold half of %3, %4 back; most are in layer %5.</source>
        <translation>全部 %1中，有 %2 个还能保留 %4之前的%3的一半，大多在第 %5 层。</translation>
    </message>
    <message>
        <source>Of %1, %2 would still hold half of %3, %4 back; layer %5 has most of them, %6.</source>
        <translation>全部 %1中，有 %2 个还能保留 %4之前的%3的一半，以第 %5 层最多，有 %6 个。</translation>
    </message>
    <message>
        <source>The gates of %1 leave most of %2 as they were.</source>
        <translation>%1的门控使全部 %2中的大多数保持不变。</translation>
    </message>
    <message>
        <source>At %1 half of %2 have a half-life below %3 tokens.</source>
        <translation>在%1处，全部 %2中有一半的半衰期短于 %3 个词元。</translation>
    </message>
    <message>
        <source>layer %1, head %2</source>
        <translation>第 %1 层第 %2 头</translation>
    </message>
    <message>
        <source>Layer %1, head %2</source>
        <translation>第 %1 层第 %2 头</translation>
    </message>
    <message>
        <source>From %1 to %2 the state of %3 did not change.</source>
        <translation>从 %1 到 %2，%3的状态没有变化。</translation>
    </message>
    <message>
        <source>From %1 to %2 the state of %3 changed by %4 of its size, along about %5 of %6.</source>
        <translation>从 %1 到 %2，%3的状态改变了自身大小的 %4，变化沿全部 %6中的约 %5 个。</translation>
    </message>
    <message>
        <source>The state of %1 is empty: nothing has been written into it yet.</source>
        <translation>%1的状态是空的：还没有写入任何内容。</translation>
    </message>
    <message>
        <source>%1 uses about %2 of its %3 after %4, the nearest that was recorded to %5.</source>
        <translation>在%4之后，%1使用了全部 %3中的约 %2 个；这是录制中离%5最近的状态。</translation>
    </message>
    <message>
        <source>%1 uses about %2 of its %3 after %4.</source>
        <translation>在%4之后，%1使用了全部 %3中的约 %2 个。</translation>
    </message>
    <message>
        <source>%1 uses about %2 of its %3; %4 rewrote %5 of it.</source>
        <translation>%1使用了全部 %3中的约 %2 个；%4改写了其中的 %5。</translation>
    </message>
    <message>
        <source>this very token</source>
        <translation>这个词元自己</translation>
    </message>
    <message>
        <source>%1, %2 back</source>
        <translation>%1（%2之前）</translation>
    </message>
    <message>
        <source>Reading at %1: the cache takes %2 from %3; the state takes most from %4.</source>
        <translation>在%1处读取：缓存有 %2 取自%3；状态取自%4的最多。</translation>
    </message>
    <message>
        <source>Reading at %1: the cache takes %2 from %3.</source>
        <translation>在%1处读取：缓存有 %2 取自%3。</translation>
    </message>
    <message>
        <source>Reading at %1: the state takes most from %2.</source>
        <translation>在%1处读取：状态取自%2的最多。</translation>
    </message>
    <message>
        <source>%1 is the last token: nothing has become of it yet.</source>
        <translation>%1 是最后一个词元：它还什么都没有经历。</translation>
    </message>
    <message>
        <source>%1 later no state holds %2 any more; decay alone would have left %3 in %4.</source>
        <translation>%1之后，没有状态还保存着%2；仅经衰减，%4中还会剩 %3。</translation>
    </message>
    <message>
        <source>%1 later the state of %2 holds %3 of %4; decay alone would have left %5.</source>
        <translation>%1之后，%2的状态还保存着%4的 %3；仅经衰减会剩 %5。</translation>
    </message>
    <message>
        <source>An answer since then gave it %1.</source>
        <translation>此后的一个回答给了它 %1 的概率。</translation>
    </message>
    <message>
        <source>the cache of layer %1, head %2</source>
        <translation>第 %1 层第 %2 头的缓存</translation>
    </message>
    <message>
        <source>the state of layer %1, head %2</source>
        <translation>第 %1 层第 %2 头的状态</translation>
    </message>
    <message>
        <source>At %1 %2 reads most of %3: it is %4 of what this head reads.</source>
        <translation>在 %1，%2 读 %3 最多：占该头所读的 %4。</translation>
    </message>
    <message numerus="yes">
        <source>To %Ln of %1 heads it is half or more.</source>
        <translation>
            <numerusform>%1 个头中有 %Ln 个，它占一半或更多。</numerusform>
        </translation>
    </message>
    <message>
        <source>Over the %1 chosen, expert %2 of layer %3 was picked %4 times as often as an even share</source>
        <translation>在所选的 %1中，第 %3 层的专家 %2 被选中的次数是均等份额的 %4 倍</translation>
    </message>
    <message>
        <source>Over the last %1, expert %2 of layer %3 was picked %4 times as often as an even share</source>
        <translation>在最近的 %1中，第 %3 层的专家 %2 被选中的次数是均等份额的 %4 倍</translation>
    </message>
    <message>
        <source>each of the %1 was picked at least once</source>
        <translation>全部 %1都至少被选中过一次</translation>
    </message>
    <message numerus="yes">
        <source>%Ln of %1 (was|were) never picked</source>
        <translation>
            <numerusform>全部 %1中有 %Ln 个从未被选中</numerusform>
        </translation>
    </message>
    <message>
        <source>%1; %2.</source>
        <translation>%1；%2。</translation>
    </message>
    <message>
        <source>its same-shapes twin</source>
        <translation>它的同形状对照模型</translation>
    </message>
    <message>
        <source>multi-head attention</source>
        <translation>多头注意力</translation>
    </message>
    <message>
        <source>At %1 of context this model made %2 tokens/s, its %3 %4: %5 times as fast, with %6 of the memory.</source>
        <translation>在 %1的上下文中，本模型每秒生成 %2 个词元，其%3为每秒 %4 个：速度是后者的 %5 倍，内存是后者的 %6。</translation>
    </message>
    <message>
        <source>At %1 of context this model made %2 tokens/s, its %3 %4: %5 times as slow, with %6 of the memory.</source>
        <translation>在 %1的上下文中，本模型每秒生成 %2 个词元，其%3为每秒 %4 个：每个词元的用时是后者的 %5 倍，内存是后者的 %6。</translation>
    </message>
    <message>
        <source>%1 times</source>
        <translation>%1 倍</translation>
    </message>
    <message>
        <source>%1 was the first choice, with %2.</source>
        <translation>%1是首选（%2）。</translation>
    </message>
    <message>
        <source>%1 was the first choice, with %2; next came %3 with %4.</source>
        <translation>%1是首选（%2）；其次是%3（%4）。</translation>
    </message>
    <message>
        <source>%1 was drawn as choice %2, with %3.</source>
        <translation>%1是抽到的第 %2 选择（%3）。</translation>
    </message>
    <message>
        <source>%1 was drawn as choice %2, with %3; the first was %4 with %5.</source>
        <translation>%1是抽到的第 %2 选择（%3）；首选是%4（%5）。</translation>
    </message>
    <message>
        <source>The model was sure.</source>
        <translation>模型很确定。</translation>
    </message>
    <message>
        <source>The model was as unsure as between %1 equal choices.</source>
        <translation>模型的不确定程度相当于在 %1 个等可能选项之间选择。</translation>
    </message>
    <message>
        <source>layer %1</source>
        <translation>第 %1 层</translation>
    </message>
    <message>
        <source>layers %1</source>
        <translation>第 %1 层</translation>
    </message>
    <message>
        <source>head %1</source>
        <translation>第 %1 头</translation>
    </message>
    <message>
        <source>heads %1</source>
        <translation>第 %1 头</translation>
    </message>
    <message>
        <source>channel %1</source>
        <translation>通道 %1</translation>
    </message>
    <message>
        <source>channels %1</source>
        <translation>通道 %1</translation>
    </message>
    <message>
        <source>every layer</source>
        <translation>每一层</translation>
    </message>
    <message>
        <source>half-lives × %1 in %2</source>
        <translation>%2 的半衰期 × %1</translation>
    </message>
    <message>
        <source>nothing is written in %1</source>
        <translation>%1 不写入</translation>
    </message>
    <message>
        <source>writing strength β × %1 in %2</source>
        <translation>%2 的写入强度 β × %1</translation>
    </message>
    <message>
        <source>nothing is read in %1</source>
        <translation>%1 不读取</translation>
    </message>
    <message>
        <source>what is read × %1 in %2</source>
        <translation>%2 读到的内容 × %1</translation>
    </message>
    <message>
        <source>expert %1 silenced in %2</source>
        <translation>%2 的专家 %1 静默</translation>
    </message>
    <message>
        <source>experts %1 silenced in %2</source>
        <translation>%2 的专家 %1 静默</translation>
    </message>
    <message>
        <source>state emptied in %1</source>
        <translation>%1 的状态被清空</translation>
    </message>
    <message>
        <source>another state put into %1</source>
        <translation>%1 放入了另一个状态</translation>
    </message>
    <message>
        <source>one key erased in %1</source>
        <translation>%1 中擦除了一个键</translation>
    </message>
    <message>
        <source>one key overwritten in %1</source>
        <translation>%1 中改写了一个键</translation>
    </message>
    <message>
        <source>tokens %1 to %2 hidden from the caches of %3</source>
        <translation>词元 %1 至 %2 对 %3 的缓存隐藏</translation>
    </message>
    <message>
        <source>in front of token %1</source>
        <translation>在词元 %1 之前</translation>
    </message>
    <message>
        <source>from token %1 on</source>
        <translation>自词元 %1 起</translation>
    </message>
    <message>
        <source>tokens %1 to %2</source>
        <translation>词元 %1 至 %2</translation>
    </message>
    <message>
        <source>up to token %1</source>
        <translation>至词元 %1 为止</translation>
    </message>
    <message>
        <source>%1, %2 to %3</source>
        <translation>%1，从 %2 到 %3</translation>
    </message>
    <message>
        <source>no time was measured here</source>
        <translation>这里没有测量时间</translation>
    </message>
    <message>
        <source>made in %1</source>
        <translation>用时 %1</translation>
    </message>
    <message>
        <source>%1 of them made in %2</source>
        <translation>其中 %1 个用时 %2</translation>
    </message>
    <message>
        <source>mean %1</source>
        <translation>平均 %1</translation>
    </message>
    <message>
        <source>worst %1, token %2</source>
        <translation>最慢 %1，词元 %2</translation>
    </message>
    <message>
        <source>Layers from bottom to top</source>
        <translation>各层，自下而上</translation>
    </message>
    <message>
        <source>Mixer</source>
        <translation>混合层</translation>
    </message>
    <message>
        <source>Feed-forward</source>
        <translation>前馈</translation>
    </message>
    <message>
        <source>Weights a token reads</source>
        <translation>每词元读的权重</translation>
    </message>
    <message>
        <source>Remembers</source>
        <translation>记住</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>文件(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Chat</source>
        <translation>对话(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>视图(&amp;V)</translation>
    </message>
    <message>
        <source>Ca&amp;pture</source>
        <translation>录制(&amp;P)</translation>
    </message>
    <message>
        <source>&amp;Run</source>
        <translation>运行(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>帮助(&amp;H)</translation>
    </message>
    <message>
        <source>Load the embedded demo model</source>
        <translation>加载内置演示模型</translation>
    </message>
    <message>
        <source>Open a model folder…</source>
        <translation>打开模型文件夹…</translation>
    </message>
    <message>
        <source>A folder with config.json and safetensors</source>
        <translation>含有 config.json 和 safetensors 的文件夹</translation>
    </message>
    <message>
        <source>Open a GGUF file…</source>
        <translation>打开 GGUF 文件…</translation>
    </message>
    <message>
        <source>A model in one file, or the first of its parts</source>
        <translation>单文件模型，或分卷中的第一个</translation>
    </message>
    <message>
        <source>GGUF models (*.gguf)</source>
        <translation>GGUF 模型 (*.gguf)</translation>
    </message>
    <message>
        <source>Pull a model…</source>
        <translation>下载模型…</translation>
    </message>
    <message>
        <source>Engine elsewhere…</source>
        <translation>使用别处的引擎…</translation>
    </message>
    <message>
        <source>Unload the model</source>
        <translation>卸载模型</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>退出</translation>
    </message>
    <message>
        <source>Layouts</source>
        <translation>布局</translation>
    </message>
    <message>
        <source>Explore (default)</source>
        <translation>探索（默认）</translation>
    </message>
    <message>
        <source>Chat only</source>
        <translation>仅对话</translation>
    </message>
    <message>
        <source>Monitor</source>
        <translation>监控</translation>
    </message>
    <message>
        <source>Present</source>
        <translation>演示</translation>
    </message>
    <message>
        <source>Two lenses, State beside the others</source>
        <translation>两个视图：状态与其他并排</translation>
    </message>
    <message>
        <source>Text size</source>
        <translation>文字大小</translation>
    </message>
    <message>
        <source>Larger</source>
        <translation>放大</translation>
    </message>
    <message>
        <source>Smaller</source>
        <translation>缩小</translation>
    </message>
    <message>
        <source>As usual</source>
        <translation>恢复默认</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>主题</translation>
    </message>
    <message>
        <source>System</source>
        <comment>theme</comment>
        <translation>跟随系统</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>浅色</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>语言（Language）</translation>
    </message>
    <message>
        <source>System</source>
        <comment>language</comment>
        <translation>跟随系统</translation>
    </message>
    <message>
        <source>The window speaks this language from its next start on.</source>
        <translation>下次启动时，窗口将使用这种语言。</translation>
    </message>
    <message>
        <source>Freeze views</source>
        <translation>冻结视图</translation>
    </message>
    <message>
        <source>Previous token</source>
        <translation>上一个词元</translation>
    </message>
    <message>
        <source>Next token</source>
        <translation>下一个词元</translation>
    </message>
    <message>
        <source>Follow the newest token</source>
        <translation>跟随最新词元</translation>
    </message>
    <message>
        <source>Previous head</source>
        <translation>上一个头</translation>
    </message>
    <message>
        <source>Next head</source>
        <translation>下一个头</translation>
    </message>
    <message>
        <source>Previous layer</source>
        <translation>上一层</translation>
    </message>
    <message>
        <source>Next layer</source>
        <translation>下一层</translation>
    </message>
    <message>
        <source>Next part of the window</source>
        <translation>窗口的下一部分</translation>
    </message>
    <message>
        <source>Previous part of the window</source>
        <translation>窗口的上一部分</translation>
    </message>
    <message>
        <source>Race against the full-attention twin</source>
        <translation>与全注意力对照模型竞速</translation>
    </message>
    <message>
        <source>Lab: rules of memory that learn…</source>
        <translation>实验室：会学习的记忆规则…</translation>
    </message>
    <message>
        <source>About</source>
        <translation>关于</translation>
    </message>
    <message>
        <source>Kimi Linear Playground %1: a Kimi Linear model and its memory at work.</source>
        <translation>Kimi Linear 游乐场 %1：看一个 Kimi Linear 模型和它的记忆如何工作。</translation>
    </message>
    <message>
        <source>Our code is MIT; this program links Qt Charts and is therefore distributed under GPL-3.0-or-later.</source>
        <translation>我们的代码采用 MIT 许可；本程序链接了 Qt Charts，因此按 GPL-3.0-or-later 发布。</translation>
    </message>
    <message>
        <source>Compare with</source>
        <translation>对比对象</translation>
    </message>
    <message>
        <source>Compare: both</source>
        <translation>对比：两者</translation>
    </message>
    <message>
        <source>Memory against both, speed against the twin</source>
        <translation>内存与两者比较，速度与对照模型比较</translation>
    </message>
    <message>
        <source>Compare: twin</source>
        <translation>对比：对照模型</translation>
    </message>
    <message>
        <source>The same model with attention in every layer</source>
        <translation>同一模型，每一层都是注意力</translation>
    </message>
    <message>
        <source>Compare: multi-head</source>
        <translation>对比：多头</translation>
    </message>
    <message>
        <source>Keys and values of every head and layer are kept; its memory is computed, no engine here runs it</source>
        <translation>保留每层每头的键和值；内存为计算值，这里没有引擎运行它</translation>
    </message>
    <message>
        <source>Compare: nothing</source>
        <translation>对比：无</translation>
    </message>
    <message>
        <source>This model alone</source>
        <translation>仅本模型</translation>
    </message>
    <message>
        <source>Multi-head attention and the same-shapes twin; races: the trained twin</source>
        <translation>多头注意力和同形状对照模型；竞速用训练过的对照模型</translation>
    </message>
    <message>
        <source>Multi-head attention and the same-shapes twin</source>
        <translation>多头注意力和同形状对照模型</translation>
    </message>
    <message>
        <source>The same-shapes twin; races: the trained twin</source>
        <translation>同形状对照模型；竞速用训练过的对照模型</translation>
    </message>
    <message>
        <source>The same-shapes twin</source>
        <translation>同形状对照模型</translation>
    </message>
    <message>
        <source>Plain multi-head attention (computed)</source>
        <translation>普通多头注意力（计算值）</translation>
    </message>
    <message>
        <source>Nothing</source>
        <translation>无</translation>
    </message>
    <message>
        <source>What lenses, timeline and vitals compare the model with: %1</source>
        <translation>各视图、时间线和运行指标拿什么与模型对比：%1</translation>
    </message>
    <message>
        <source>Rename the chat</source>
        <translation>重命名对话</translation>
    </message>
    <message>
        <source>Write a message</source>
        <translation>写消息</translation>
    </message>
    <message>
        <source>Regenerate the last answer</source>
        <translation>重新生成最后的回答</translation>
    </message>
    <message>
        <source>Continue the last answer</source>
        <translation>继续最后的回答</translation>
    </message>
    <message>
        <source>Edit the last message</source>
        <translation>编辑上一条消息</translation>
    </message>
    <message>
        <source>Fork into a new chat</source>
        <translation>分叉为新对话</translation>
    </message>
    <message>
        <source>Undo the last turn</source>
        <translation>撤销最后一轮</translation>
    </message>
    <message>
        <source>Go ahead on this branch</source>
        <translation>在此分支上前进</translation>
    </message>
    <message>
        <source>Previous branch</source>
        <translation>上一个分支</translation>
    </message>
    <message>
        <source>Next branch</source>
        <translation>下一个分支</translation>
    </message>
    <message>
        <source>Sampling…</source>
        <translation>采样…</translation>
    </message>
    <message>
        <source>When the context is full</source>
        <translation>上下文满了以后</translation>
    </message>
    <message>
        <source>Stop and ask</source>
        <translation>停下来询问</translation>
    </message>
    <message>
        <source>Roll on: the oldest tokens leave the cache</source>
        <translation>滚动继续：最旧的词元离开缓存</translation>
    </message>
    <message>
        <source>Sum the talk up and go on</source>
        <translation>总结对话后继续</translation>
    </message>
    <message>
        <source>Remove the chat (its file stays)</source>
        <translation>移除对话（文件保留）</translation>
    </message>
    <message>
        <source>Bring back what was removed last</source>
        <translation>恢复上次移除的内容</translation>
    </message>
    <message>
        <source>Go to the newest message</source>
        <translation>转到最新消息</translation>
    </message>
    <message>
        <source>Export the chat…</source>
        <translation>导出对话…</translation>
    </message>
    <message>
        <source>Import a chat…</source>
        <translation>导入对话…</translation>
    </message>
    <message>
        <source>Replay</source>
        <translation>回放</translation>
    </message>
    <message>
        <source>A recorded run</source>
        <translation>录制的运行</translation>
    </message>
    <message>
        <source>Recorded runs (*.klprun)</source>
        <translation>录制的运行 (*.klprun)</translation>
    </message>
    <message>
        <source>Record</source>
        <translation>录制</translation>
    </message>
    <message>
        <source>Keeps everything the lenses show in a file, from now on (Ctrl+Shift+K)</source>
        <translation>从现在起，把各视图显示的一切保存到文件（Ctrl+Shift+K）</translation>
    </message>
    <message>
        <source>Replay a recording…</source>
        <translation>回放录制…</translation>
    </message>
    <message>
        <source>Play or pause</source>
        <translation>播放或暂停</translation>
    </message>
    <message>
        <source>Token forward</source>
        <translation>前进一个词元</translation>
    </message>
    <message>
        <source>Token back</source>
        <translation>后退一个词元</translation>
    </message>
    <message>
        <source>Faster</source>
        <translation>加快</translation>
    </message>
    <message>
        <source>Slower</source>
        <translation>减慢</translation>
    </message>
    <message>
        <source>Replay a recording</source>
        <translation>回放录制</translation>
    </message>
    <message>
        <source>Watch a recorded run in the same lenses</source>
        <translation>在同样的视图中观看录制的运行</translation>
    </message>
    <message>
        <source>Another file…</source>
        <translation>其他文件…</translation>
    </message>
    <message>
        <source>■ Stop recording, %1</source>
        <translation>■ 停止录制，%1</translation>
    </message>
    <message>
        <source>● Record</source>
        <translation>● 录制</translation>
    </message>
    <message>
        <source>Close the explanation</source>
        <translation>关闭说明</translation>
    </message>
    <message>
        <source>Let go of the chosen token</source>
        <translation>取消选中的词元</translation>
    </message>
    <message>
        <source>The server does not answer any more: %1.</source>
        <translation>服务器不再应答：%1。</translation>
    </message>
    <message>
        <source>What was said is kept, and the talk goes on when it answers again.</source>
        <translation>已说的内容保留着；服务器恢复应答后对话可以继续。</translation>
    </message>
    <message>
        <source>Another server…</source>
        <translation>另一个服务器…</translation>
    </message>
    <message>
        <source>A model is a folder with config.json, *.safetensors and tiktoken.model or tokenizer.json, or one GGUF file.</source>
        <translation>模型可以是含有 config.json、*.safetensors 以及 tiktoken.model 或 tokenizer.json 的文件夹，也可以是一个 GGUF 文件。</translation>
    </message>
    <message>
        <source>Choose another folder…</source>
        <translation>选择其他文件夹…</translation>
    </message>
    <message>
        <source>Talk to the embedded model</source>
        <translation>与内置模型对话</translation>
    </message>
    <message>
        <source>%1 is no model: it has no config.json.</source>
        <translation>%1 不是模型：没有 config.json。</translation>
    </message>
    <message>
        <source>%1 is no model: it has no safetensors.</source>
        <translation>%1 不是模型：没有 safetensors。</translation>
    </message>
    <message>
        <source>Side by side</source>
        <translation>并排</translation>
    </message>
    <message>
        <source>The same without hands</source>
        <translation>同一对话，不加干预</translation>
    </message>
    <message>
        <source>The full-attention twin</source>
        <translation>全注意力对照模型</translation>
    </message>
    <message>
        <source>Another branch</source>
        <translation>另一分支</translation>
    </message>
    <message>
        <source>Another chat</source>
        <translation>另一对话</translation>
    </message>
    <message>
        <source>Back to one</source>
        <translation>回到单个</translation>
    </message>
    <message>
        <source>Two sides need a model that is loaded here.</source>
        <translation>并排需要一个在这里加载的模型。</translation>
    </message>
    <message>
        <source>Load one, or leave the replay.</source>
        <translation>请加载一个，或退出回放。</translation>
    </message>
    <message>
        <source>Ask again when it is there.</source>
        <translation>等它完成后再试。</translation>
    </message>
    <message>
        <source>Kimi Linear Playground</source>
        <translation>Kimi Linear 游乐场</translation>
    </message>
    <message>
        <source>Run bar</source>
        <translation>运行栏</translation>
    </message>
    <message>
        <source>Timeline</source>
        <translation>时间线</translation>
    </message>
    <message>
        <source>Watch a run</source>
        <translation>观看一次运行</translation>
    </message>
    <message>
        <source>A model was recorded while it was told three facts and then asked for them. Press Watch.</source>
        <translation>这里录制了一个模型：先告诉它三件事，再逐一问它。请按“观看”。</translation>
    </message>
    <message>
        <source>Stop and look</source>
        <translation>停下来看</translation>
    </message>
    <message>
        <source>Every word that is read or said changes the memory at the right. Press Pause whenever you want to look closer (F8).</source>
        <translation>读到或说出的每个词都会改变右边的记忆。想细看时随时按“暂停”（F8）。</translation>
    </message>
    <message>
        <source>How fast it forgets</source>
        <translation>它忘得有多快</translation>
    </message>
    <message>
        <source>Each cell is one channel of the memory. A bright one keeps what it holds for pages, a dark one for a syllable. Click on a bright cell.</source>
        <translation>每一格是记忆的一个通道。亮的能把内容保留好几页，暗的只有一个音节。请点一个亮格。</translation>
    </message>
    <message>
        <source>Every token in a line</source>
        <translation>所有词元排成一行</translation>
    </message>
    <message>
        <source>The timeline has all tokens from left to right. Click on one: every lens goes to that moment.</source>
        <translation>时间线从左到右列出全部词元。点其中一个：所有视图都转到那一刻。</translation>
    </message>
    <message>
        <source>What one head holds</source>
        <translation>一个头里存着什么</translation>
    </message>
    <message>
        <source>A state is a matrix of constant size. Open State to see the one of this head at that moment.</source>
        <translation>状态是一个大小不变的矩阵。打开“状态”，看这个头在那一刻的状态。</translation>
    </message>
    <message>
        <source>What it costs</source>
        <translation>代价是多少</translation>
    </message>
    <message>
        <source>The states stay as large as they are; only the small cache of every fourth layer grows. Open Memory to see both.</source>
        <translation>状态的大小始终不变；只有每四层中一层的小缓存会增长。打开“内存”，两者都能看到。</translation>
    </message>
    <message>
        <source>Now live</source>
        <translation>现在来真的</translation>
    </message>
    <message>
        <source>That was a recording. Leave it, and the model itself is at hand.</source>
        <translation>刚才是录制。退出回放，模型本身就在眼前。</translation>
    </message>
    <message>
        <source>Tell it your name</source>
        <translation>告诉它你的名字</translation>
    </message>
    <message>
        <source>Write “My name is …” and press Enter; then ask it what your name is. The model runs here, on this machine.</source>
        <translation>写“My name is …”并按 Enter，然后问它你叫什么。模型就在这台机器上运行。</translation>
    </message>
    <message>
        <source>That was the tour. Every lens has a ? that says what it shows; the tour is in the Help menu.</source>
        <translation>导览到此结束。每个视图都有一个“?”说明它显示什么；导览在“帮助”菜单里。</translation>
    </message>
    <message>
        <source>Take the tour</source>
        <translation>开始导览</translation>
    </message>
    <message>
        <source>The model does not stand at this answer now, so it cannot be played.</source>
        <translation>模型现在不停在这个回答上，因此无法播放。</translation>
    </message>
    <message>
        <source>Choose its branch, or wait until the model rests.</source>
        <translation>请切换到它的分支，或等模型空闲。</translation>
    </message>
    <message>
        <source>No recording of a race was found.</source>
        <translation>没有找到竞速的录制。</translation>
    </message>
    <message>
        <source>Load a model and press Start in the lens Race.</source>
        <translation>请加载模型，然后在“竞速”视图中按“开始”。</translation>
    </message>
    <message>
        <source>Under hands: %1</source>
        <translation>干预之下：%1</translation>
    </message>
    <message>
        <source>Without hands again</source>
        <translation>不再有干预</translation>
    </message>
    <message>
        <source>Under hands</source>
        <translation>在干预下</translation>
    </message>
    <message>
        <source>You</source>
        <translation>你</translation>
    </message>
    <message>
        <source>Summary</source>
        <translation>总结</translation>
    </message>
    <message>
        <source>%1 returned</source>
        <translation>%1 的返回</translation>
    </message>
    <message>
        <source>Assistant</source>
        <translation>助手</translation>
    </message>
    <message>
        <source>Copy the message as it was written</source>
        <translation>按原样复制消息</translation>
    </message>
    <message>
        <source>Show this answer again, word by word, in all lenses and at the pace of the run bar; the model is not asked</source>
        <translation>按运行栏的节奏，在所有视图中逐词重现这个回答；不会再问模型</translation>
    </message>
    <message>
        <source>Play this answer</source>
        <translation>播放这个回答</translation>
    </message>
    <message>
        <source>Edit</source>
        <translation>编辑</translation>
    </message>
    <message>
        <source>Write it anew on a branch of its own; this one stays (Ctrl+E for the last)</source>
        <translation>在新分支上重写；这条保留（最后一条按 Ctrl+E）</translation>
    </message>
    <message>
        <source>Regenerate</source>
        <translation>重新生成</translation>
    </message>
    <message>
        <source>Another answer, beside this one (Ctrl+R for the last)</source>
        <translation>在旁边再生成一个回答（最后一条按 Ctrl+R）</translation>
    </message>
    <message>
        <source>Change the answer, and let the model go on from there; this one stays</source>
        <translation>修改回答，让模型从那里继续；这条保留</translation>
    </message>
    <message>
        <source>Continue</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Go on with this unfinished answer</source>
        <translation>把这个未完成的回答继续下去</translation>
    </message>
    <message>
        <source>A new chat that begins with everything up to here (Ctrl+Shift+F for the last)</source>
        <translation>以到此为止的全部内容开始新对话（最后一条按 Ctrl+Shift+F）</translation>
    </message>
    <message>
        <source>Rewind here</source>
        <translation>回退到这里</translation>
    </message>
    <message>
        <source>Stand here again; what follows stays as a branch</source>
        <translation>回到这里；后面的内容作为分支保留</translation>
    </message>
    <message>
        <source>More</source>
        <translation>更多</translation>
    </message>
    <message>
        <source>Copied</source>
        <translation>已复制</translation>
    </message>
    <message>
        <source>The context is full: the model sums the talk up …</source>
        <translation>上下文已满：模型正在总结对话 …</translation>
    </message>
    <message>
        <source>The context was full: from here on the model knows this and the last exchange. What stands above stays in the chat.</source>
        <translation>上下文曾经满过：从这里起，模型只知道这份总结和最后一轮对话。上面的内容仍保留在对话中。</translation>
    </message>
    <message>
        <source>paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>waits until the race is over …</source>
        <translation>等竞速结束 …</translation>
    </message>
    <message>
        <source>waits until a lens has looked back …</source>
        <translation>等某个视图回看完 …</translation>
    </message>
    <message>
        <source>reading %1 of %2 …</source>
        <translation>正在读取 %1 / %2 …</translation>
    </message>
    <message>
        <source>reading …</source>
        <translation>正在读取 …</translation>
    </message>
    <message>
        <source>%1 tokens/s</source>
        <translation>%1 词元/秒</translation>
    </message>
    <message>
        <source>thinking …</source>
        <translation>正在思考 …</translation>
    </message>
    <message>
        <source>answering …</source>
        <translation>正在回答 …</translation>
    </message>
    <message>
        <source>prompt of %1 read at %2 tokens/s</source>
        <translation>提示词 %1，预填充 %2 词元/秒</translation>
    </message>
    <message>
        <source>first token after %1</source>
        <translation>首个词元用时 %1</translation>
    </message>
    <message>
        <source>seed %1</source>
        <translation>种子 %1</translation>
    </message>
    <message>
        <source>ended in its thoughts</source>
        <translation>在思考中结束</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>cut at the answer's length</source>
        <translation>达到回答长度上限</translation>
    </message>
    <message>
        <source>the context is full</source>
        <translation>上下文已满</translation>
    </message>
    <message>
        <source>broken off by an error</source>
        <translation>因错误中断</translation>
    </message>
    <message>
        <source>rewound to here</source>
        <translation>已回退到这里</translation>
    </message>
    <message>
        <source>goes on from a chosen token</source>
        <translation>从选定的词元继续</translation>
    </message>
    <message>
        <source>the window was closed</source>
        <translation>窗口被关闭</translation>
    </message>
    <message>
        <source>goes on from an edited text</source>
        <translation>从编辑过的文字继续</translation>
    </message>
    <message>
        <source>broken off</source>
        <translation>已中断</translation>
    </message>
    <message>
        <source>the model ended it</source>
        <translation>由模型结束</translation>
    </message>
    <message>
        <source>Branches of the conversation at this message</source>
        <translation>对话在这条消息处的分支</translation>
    </message>
    <message>
        <source>What the model thought first</source>
        <translation>模型先想了什么</translation>
    </message>
    <message>
        <source>&amp;Copy</source>
        <translation>复制(&amp;C)</translation>
    </message>
    <message>
        <source>What it &amp;thought first…</source>
        <translation>它先想了什么(&amp;T)…</translation>
    </message>
    <message>
        <source>&amp;Edit on a new branch</source>
        <translation>在新分支上编辑(&amp;E)</translation>
    </message>
    <message>
        <source>&amp;Edit and go on from it</source>
        <translation>编辑并从那里继续(&amp;E)</translation>
    </message>
    <message>
        <source>Answer &amp;again</source>
        <translation>再回答一次(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Regenerate</source>
        <translation>重新生成(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Play it again</source>
        <translation>再播放一遍(&amp;P)</translation>
    </message>
    <message>
        <source>Co&amp;ntinue</source>
        <translation>继续(&amp;N)</translation>
    </message>
    <message>
        <source>&amp;Fork into a new chat</source>
        <translation>分叉为新对话(&amp;F)</translation>
    </message>
    <message>
        <source>Re&amp;wind here</source>
        <translation>回退到这里(&amp;W)</translation>
    </message>
    <message>
        <source>Rewind to behind the selected &amp;token (%1)</source>
        <translation>回退到所选词元之后（%1）(&amp;T)</translation>
    </message>
    <message>
        <source>Remove from here (%1)</source>
        <translation>从这里起移除（%1）</translation>
    </message>
    <message>
        <source>What to do with this message</source>
        <translation>可以对这条消息做什么</translation>
    </message>
    <message>
        <source>Messages</source>
        <translation>消息列表</translation>
    </message>
    <message>
        <source>Newest  ↓</source>
        <translation>最新  ↓</translation>
    </message>
    <message>
        <source>What follows here was left by rewinding or by undoing; nothing of it is lost</source>
        <translation>这里后面的内容是回退或撤销时留下的；没有丢失</translation>
    </message>
    <message>
        <source>Tokens a second</source>
        <translation>每秒词元数</translation>
    </message>
    <message>
        <source>Time per token, log</source>
        <translation>每词元用时（对数）</translation>
    </message>
    <message>
        <source>State + cache</source>
        <translation>状态 + 缓存</translation>
    </message>
    <message>
        <source>Entropy of the next token, nats</source>
        <translation>下一个词元的熵（nat）</translation>
    </message>
    <message>
        <source>Expert balance</source>
        <translation>专家均衡度</translation>
    </message>
    <message>
        <source>State norm, median of heads</source>
        <translation>状态范数，各头中位数</translation>
    </message>
    <message>
        <source>Update norm, median of heads</source>
        <translation>更新量范数，各头中位数</translation>
    </message>
    <message>
        <source>Processors</source>
        <translation>处理器</translation>
    </message>
    <message>
        <source>Memory of this program</source>
        <translation>本程序的内存</translation>
    </message>
    <message>
        <source>GPU</source>
        <translation>GPU</translation>
    </message>
    <message>
        <source>Server</source>
        <translation>服务器</translation>
    </message>
    <message>
        <source>over the last second of decoding</source>
        <translation>最近一秒的解码</translation>
    </message>
    <message>
        <source>mean %1, worst %2</source>
        <translation>平均 %1，最慢 %2</translation>
    </message>
    <message>
        <source>no token was made yet</source>
        <translation>还没有生成词元</translation>
    </message>
    <message>
        <source>0: the model is sure</source>
        <translation>0：模型很确定</translation>
    </message>
    <message>
        <source>dashed: 95th percentile</source>
        <translation>虚线：第 95 百分位</translation>
    </message>
    <message>
        <source>what each token writes</source>
        <translation>每个词元写入多少</translation>
    </message>
    <message>
        <source>no picks of experts are known</source>
        <translation>没有专家选择的读数</translation>
    </message>
    <message>
        <source>busiest of layer %1 over its mean; %2 of %3 idle</source>
        <translation>第 %1 层最忙专家与均值之比；%3 个中 %2 个空闲</translation>
    </message>
    <message>
        <source>no model is loaded</source>
        <translation>没有加载模型</translation>
    </message>
    <message>
        <source>to %1</source>
        <translation>到 %1</translation>
    </message>
    <message>
        <source>dashed: same-shapes twin %1 (computed)</source>
        <translation>虚线：同形状对照模型 %1（计算值）</translation>
    </message>
    <message>
        <source>dashed: multi-head %1 (computed)</source>
        <translation>虚线：多头 %1（计算值）</translation>
    </message>
    <message>
        <source>this program; machine %1 (grey)</source>
        <translation>本程序；整机 %1（灰色）</translation>
    </message>
    <message>
        <source>%1 files; machine %2 of %3 (grey)</source>
        <translation>文件 %1；整机 %2 / %3</translation>
    </message>
    <message>
        <source>of its cache in use; %1 running</source>
        <translation>的缓存已用；%1 个运行中</translation>
    </message>
    <message>
        <source>of its cache in use</source>
        <translation>的缓存已用</translation>
    </message>
    <message>
        <source>requests running</source>
        <translation>个请求运行中</translation>
    </message>
    <message>
        <source>Norms over the last tokens</source>
        <translation>最近词元的范数</translation>
    </message>
    <message>
        <source>Pace: how fast tokens are shown</source>
        <translation>节奏：词元以多快的速度显示</translation>
    </message>
    <message>
        <source>How fast tokens are shown: chat, lenses and timeline move together. The model works on at its own speed, and every time shown is a token's own (F8 pauses, Ctrl+F9 faster, Ctrl+Shift+F9 slower)</source>
        <translation>词元以多快的速度显示：对话、视图和时间线一起前进。模型按自己的速度工作，显示的每个时间都是词元自己的（F8 暂停，Ctrl+F9 加快，Ctrl+Shift+F9 减慢）</translation>
    </message>
    <message>
        <source>Step by step</source>
        <translation>逐个词元</translation>
    </message>
    <message>
        <source>Full speed</source>
        <translation>全速</translation>
    </message>
    <message>
        <source>Show the next token</source>
        <translation>显示下一个词元</translation>
    </message>
    <message>
        <source>Show the next token (F9)</source>
        <translation>显示下一个词元（F9）</translation>
    </message>
    <message>
        <source>What you see</source>
        <translation>你看到的是什么</translation>
    </message>
    <message>
        <source>What to try</source>
        <translation>可以试试</translation>
    </message>
    <message>
        <source>Words</source>
        <translation>术语</translation>
    </message>
    <message>
        <source>Formula</source>
        <translation>公式</translation>
    </message>
    <message>
        <source>Nobody knows the shape of %1, from which memory is computed. File, Engine elsewhere… takes a named shape or a config.json.</source>
        <translation>不知道 %1 的形状，而内存是由形状算出的。在“文件”“使用别处的引擎…”中可以填一个已知的形状或 config.json。</translation>
    </message>
    <message>
        <source>A race needs the engine's inside, which a server does not show. klp sweep --url A --url B measures two servers beside each other.</source>
        <translation>竞速需要引擎内部的数据，服务器不提供。klp sweep --url A --url B 可以把两个服务器放在一起测量。</translation>
    </message>
    <message>
        <source>%1 needs the engine's inside, which a server does not show. A model that is opened here shows it, or a recording of one.</source>
        <translation>%1需要引擎内部的数据，服务器不提供。在这里打开的模型能显示，模型的录制也能。</translation>
    </message>
    <message>
        <source>%1 in words</source>
        <translation>%1，一句话说明</translation>
    </message>
    <message>
        <source>%1, explained</source>
        <translation>%1，详解</translation>
    </message>
    <message>
        <source>%1 as a table</source>
        <translation>%1，表格</translation>
    </message>
    <message>
        <source>FROZEN</source>
        <translation>已冻结</translation>
    </message>
    <message>
        <source>This picture stands still while the model goes on</source>
        <translation>模型继续运行，这张图保持不动</translation>
    </message>
    <message>
        <source>what is this</source>
        <translation>这是什么</translation>
    </message>
    <message>
        <source>What you see here, what to try, and the formula</source>
        <translation>这里显示什么、可以试什么，以及公式</translation>
    </message>
    <message>
        <source>Freeze</source>
        <translation>冻结</translation>
    </message>
    <message>
        <source>freeze</source>
        <translation>冻结</translation>
    </message>
    <message>
        <source>Keep this picture while the model goes on</source>
        <translation>模型继续运行，保持这张图不动</translation>
    </message>
    <message>
        <source>Table</source>
        <translation>表格</translation>
    </message>
    <message>
        <source>show as table</source>
        <translation>以表格显示</translation>
    </message>
    <message>
        <source>The same numbers as rows</source>
        <translation>同样的数字，按行列出</translation>
    </message>
    <message>
        <source>more</source>
        <translation>更多</translation>
    </message>
    <message>
        <source>Export this lens, or give it a window of its own</source>
        <translation>导出这个视图，或让它成为单独的窗口</translation>
    </message>
    <message>
        <source>Copy as a picture</source>
        <translation>复制为图片</translation>
    </message>
    <message>
        <source>The picture is on the clipboard</source>
        <translation>图片已在剪贴板中</translation>
    </message>
    <message>
        <source>Export as %1…</source>
        <translation>导出为 %1…</translation>
    </message>
    <message>
        <source>Change the memory and answer the last question again beside the answer that stands</source>
        <translation>改动记忆，并在已有回答旁边重新回答最后一个问题</translation>
    </message>
    <message>
        <source>Hands (%1)</source>
        <translation>干预（%1）</translation>
    </message>
    <message>
        <source>Hands</source>
        <translation>干预</translation>
    </message>
    <message>
        <source>Back into the main window</source>
        <translation>放回主窗口</translation>
    </message>
    <message>
        <source>Detach: a window of its own</source>
        <translation>分离：成为单独的窗口</translation>
    </message>
    <message>
        <source>Export %1</source>
        <translation>导出%1</translation>
    </message>
    <message>
        <source>Wrote %1</source>
        <translation>已写入 %1</translation>
    </message>
    <message>
        <source>REPLAY, FROZEN</source>
        <translation>回放，已冻结</translation>
    </message>
    <message>
        <source>no model</source>
        <translation>没有模型</translation>
    </message>
    <message>
        <source>tokens %1 to %2 chosen</source>
        <translation>选中词元 %1 至 %2</translation>
    </message>
    <message>
        <source>recorded %1</source>
        <translation>录制于 %1</translation>
    </message>
    <message>
        <source>There are no numbers yet.</source>
        <translation>还没有数字。</translation>
    </message>
    <message>
        <source>model %1</source>
        <translation>模型 %1</translation>
    </message>
    <message>
        <source>SVG export needs Qt's SVG module, which this build does not have</source>
        <translation>导出 SVG 需要 Qt 的 SVG 模块，这个版本没有包含</translation>
    </message>
    <message>
        <source>Text of the message</source>
        <translation>消息文字</translation>
    </message>
    <message>
        <source>Open %1</source>
        <translation>打开 %1</translation>
    </message>
    <message>
        <source>%1  (only web addresses are opened)</source>
        <translation>%1  （只能打开网页地址）</translation>
    </message>
    <message>
        <source>Copy the address</source>
        <translation>复制地址</translation>
    </message>
    <message>
        <source>Pull a model</source>
        <translation>下载模型</translation>
    </message>
    <message>
        <source>From %1, into %2. A pull that is broken off goes on where it was.</source>
        <translation>来自 %1，存入 %2。中断的下载会从断点继续。</translation>
    </message>
    <message>
        <source>ORGANISATION/NAME, or ORGANISATION/NAME:Q4_K_M</source>
        <translation>组织/名称，或 组织/名称:Q4_K_M</translation>
    </message>
    <message>
        <source>Repository</source>
        <translation>仓库</translation>
    </message>
    <message>
        <source>Pull</source>
        <translation>下载</translation>
    </message>
    <message>
        <source>Asking what is there…</source>
        <translation>正在查询有什么…</translation>
    </message>
    <message>
        <source>It is there: %1</source>
        <translation>已就绪：%1</translation>
    </message>
    <message>
        <source>an answer of this chat, played again</source>
        <translation>此对话的一个回答，再次播放</translation>
    </message>
    <message>
        <source>An answer, again</source>
        <translation>回答重放</translation>
    </message>
    <message>
        <source>Who reads it</source>
        <translation>谁在读它</translation>
    </message>
    <message>
        <source>Head</source>
        <translation>头</translation>
    </message>
    <message>
        <source>Share of what it reads</source>
        <translation>占其所读的份额</translation>
    </message>
    <message>
        <source>Weight</source>
        <translation>权重</translation>
    </message>
    <message>
        <source>cache %1.%2</source>
        <translation>缓存 %1.%2</translation>
    </message>
    <message>
        <source>state %1.%2</source>
        <translation>状态 %1.%2</translation>
    </message>
    <message>
        <source>Choose this head, in all lenses</source>
        <translation>在所有视图中选择这个头</translation>
    </message>
    <message>
        <source>What was recorded before is kept.</source>
        <translation>之前录制的内容保留着。</translation>
    </message>
    <message>
        <source>Cannot record: %1 cannot be made.</source>
        <translation>无法录制：无法创建 %1。</translation>
    </message>
    <message>
        <source>Make room, or set XDG_DATA_HOME to a folder that can be written.</source>
        <translation>请腾出空间，或把 XDG_DATA_HOME 设为可写的文件夹。</translation>
    </message>
    <message>
        <source>Cannot record: %1</source>
        <translation>无法录制：%1</translation>
    </message>
    <message>
        <source>Recorded %1, %2: %3</source>
        <translation>已录制 %1，%2：%3</translation>
    </message>
    <message>
        <source>Watch it</source>
        <translation>观看</translation>
    </message>
    <message>
        <source>Play</source>
        <translation>播放</translation>
    </message>
    <message>
        <source>Play or pause (F8)</source>
        <translation>播放或暂停（F8）</translation>
    </message>
    <message>
        <source>One token back (Shift+F9)</source>
        <translation>后退一个词元（Shift+F9）</translation>
    </message>
    <message>
        <source>One token forward (F9)</source>
        <translation>前进一个词元（F9）</translation>
    </message>
    <message>
        <source>Position in the recording, in tokens</source>
        <translation>在录制中的位置（词元）</translation>
    </message>
    <message>
        <source>Drag to any token; the lenses show what was known there</source>
        <translation>拖到任一词元；各视图显示当时已知的内容</translation>
    </message>
    <message>
        <source>Speed of the replay</source>
        <translation>回放速度</translation>
    </message>
    <message>
        <source>Times the recorded pace; at 1× no more than 30 tokens a second are shown, so that they can be followed</source>
        <translation>录制节奏的倍数；1× 时每秒最多显示 30 个词元，便于看清</translation>
    </message>
    <message>
        <source>Again and again</source>
        <translation>循环</translation>
    </message>
    <message>
        <source>Begin again at the end</source>
        <translation>到末尾后从头开始</translation>
    </message>
    <message>
        <source>Loop</source>
        <translation>循环</translation>
    </message>
    <message>
        <source>Back to the engine (Ctrl+Shift+X)</source>
        <translation>回到引擎（Ctrl+Shift+X）</translation>
    </message>
    <message>
        <source>Choose another…</source>
        <translation>选择其他…</translation>
    </message>
    <message>
        <source>Recorded %1 with %2</source>
        <translation>录制于 %1，使用 %2</translation>
    </message>
    <message>
        <source>What is known of its tokens is shown again; the model stands behind it, and answers what a lens asks of the past</source>
        <translation>重新显示它的词元的已知读数；模型就在后面，视图要回看过去时由它回答</translation>
    </message>
    <message>
        <source>Back to the conversation as it stands (Ctrl+Shift+X)</source>
        <translation>回到当前的对话（Ctrl+Shift+X）</translation>
    </message>
    <message>
        <source>The state under other rules</source>
        <translation>其他规则下的状态</translation>
    </message>
    <message>
        <source>pinned</source>
        <translation>固定的</translation>
    </message>
    <message>
        <source>all tokens</source>
        <translation>全部词元</translation>
    </message>
    <message>
        <source>%1: %2, %3. Norm %4; cosine of what is read with what was written: pinned %5, mean of all tokens %6.</source>
        <translation>%1：%2，%3。范数 %4；读出与写入的余弦：固定词元 %5，全部词元平均 %6。</translation>
    </message>
    <message>
        <source>Send a message: then its tokens are written again, by other rules.</source>
        <translation>发一条消息：它的词元会按其他规则再写一遍。</translation>
    </message>
    <message>
        <source>This recording holds no look at this state under other rules.</source>
        <translation>这个录制中没有记下这个状态在其他规则下的样子。</translation>
    </message>
    <message>
        <source>Stopped. Choose a token to look at.</source>
        <translation>已停止。请选择要看的词元。</translation>
    </message>
    <message>
        <source>Shown when the model rests: a look at the past costs feeding it again.</source>
        <translation>等模型空闲时显示：回看过去需要重新输入它。</translation>
    </message>
    <message>
        <source>Looking…</source>
        <translation>正在查找…</translation>
    </message>
    <message>
        <source>Linear attention</source>
        <translation>线性注意力</translation>
    </message>
    <message>
        <source>no gate</source>
        <translation>无门控</translation>
    </message>
    <message>
        <source>one gate a head</source>
        <translation>每头一个门控</translation>
    </message>
    <message>
        <source>a gate a channel</source>
        <translation>每通道一个门控</translation>
    </message>
    <message>
        <source>delta rule</source>
        <translation>delta 规则</translation>
    </message>
    <message>
        <source>plain writing</source>
        <translation>直接写入</translation>
    </message>
    <message>
        <source>Cosine of %1 read back: %2 by its own rule, %3; %4.</source>
        <translation>%1 读回的余弦：自己的规则 %3 下 %2；%4。</translation>
    </message>
    <message>
        <source>Mean cosine of %1 read back: %2 by their own rule, %3; %4.</source>
        <translation>%1读回的平均余弦：自己的规则 %3 下 %2；%4。</translation>
    </message>
    <message>
        <source>By %1 the state would be %2 times as large.</source>
        <translation>按 %1，状态会是现在的 %2 倍大。</translation>
    </message>
    <message>
        <source>Embedded demo model</source>
        <translation>内置演示模型</translation>
    </message>
    <message>
        <source>Unload</source>
        <translation>卸载</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>进度</translation>
    </message>
    <message>
        <source>Stop what is running</source>
        <translation>停止正在运行的任务</translation>
    </message>
    <message>
        <source>Stop what is running (Esc)</source>
        <translation>停止正在运行的任务（Esc）</translation>
    </message>
    <message>
        <source>All lenses stand still while the model goes on (Ctrl+Space)</source>
        <translation>模型继续运行，所有视图保持不动（Ctrl+Space）</translation>
    </message>
    <message>
        <source>No model</source>
        <translation>没有模型</translation>
    </message>
    <message>
        <source>Model: %1</source>
        <translation>模型：%1</translation>
    </message>
    <message>
        <source>Planned: %1</source>
        <translation>计划：%1</translation>
    </message>
    <message>
        <source>%1 parameters, %2 of weights, loaded in %3</source>
        <translation>%1 参数，权重 %2，加载用时 %3</translation>
    </message>
    <message>
        <source>The model runs in another program: %1</source>
        <translation>模型在另一个程序中运行：%1</translation>
    </message>
    <message>
        <source>%1 parameters, as its shape says</source>
        <translation>按形状有 %1 参数</translation>
    </message>
    <message>
        <source>Nobody knows the shape of what is served</source>
        <translation>不知道所服务模型的形状</translation>
    </message>
    <message>
        <source>Choose a model</source>
        <translation>选择模型</translation>
    </message>
    <message>
        <source>loading</source>
        <translation>正在加载</translation>
    </message>
    <message>
        <source>ready</source>
        <translation>就绪</translation>
    </message>
    <message>
        <source>going there</source>
        <translation>正在前往</translation>
    </message>
    <message>
        <source>reading %1 of %2</source>
        <translation>预填充 %1 / %2</translation>
    </message>
    <message>
        <source>reading the prompt</source>
        <translation>正在预填充</translation>
    </message>
    <message>
        <source>playing</source>
        <translation>正在播放</translation>
    </message>
    <message>
        <source>answering</source>
        <translation>正在回答</translation>
    </message>
    <message>
        <source>racing</source>
        <translation>正在竞速</translation>
    </message>
    <message>
        <source>looking back</source>
        <translation>正在回看</translation>
    </message>
    <message>
        <source>%1 to come</source>
        <translation>还有 %1</translation>
    </message>
    <message>
        <source>How the next token is chosen: temperature, cuts, seed, length of an answer</source>
        <translation>下一个词元如何选择：温度、截断、随机种子、回答长度</translation>
    </message>
    <message>
        <source>Sampling settings</source>
        <translation>采样设置</translation>
    </message>
    <message>
        <source>Preset</source>
        <translation>预设</translation>
    </message>
    <message>
        <source>Temperature</source>
        <translation>温度</translation>
    </message>
    <message>
        <source>0: always the most probable token; 1: the model's own distribution; more: flatter</source>
        <translation>0：总是取概率最大的词元；1：模型自己的分布；更大：更平缓</translation>
    </message>
    <message>
        <source>0 (greedy)</source>
        <translation>0（贪心）</translation>
    </message>
    <message>
        <source>Top-k</source>
        <translation>Top-k</translation>
    </message>
    <message>
        <source>Only the k most probable tokens</source>
        <translation>只取概率最大的 k 个词元</translation>
    </message>
    <message>
        <source>Top-p</source>
        <translation>Top-p</translation>
    </message>
    <message>
        <source>Only the most probable tokens that together reach this probability; 1: all</source>
        <translation>只取概率最大、合计达到此概率的词元；1：全部</translation>
    </message>
    <message>
        <source>Min-p</source>
        <translation>Min-p</translation>
    </message>
    <message>
        <source>Only tokens at least this share as probable as the best; 0: all</source>
        <translation>只取概率至少为最大者这一比例的词元；0：全部</translation>
    </message>
    <message>
        <source>Repeat penalty</source>
        <translation>重复惩罚</translation>
    </message>
    <message>
        <source>Makes tokens of the last 64 less probable; 1: none</source>
        <translation>降低最近 64 个词元再次出现的概率；1：不惩罚</translation>
    </message>
    <message>
        <source>Answer length</source>
        <translation>回答长度</translation>
    </message>
    <message>
        <source>Tokens of an answer at most</source>
        <translation>一个回答最多多少词元</translation>
    </message>
    <message>
        <source>another for each answer</source>
        <translation>每个回答换一个</translation>
    </message>
    <message>
        <source>Random seed</source>
        <translation>随机的种子</translation>
    </message>
    <message>
        <source>The same seed, settings and conversation give the same answer</source>
        <translation>种子、设置和对话相同，回答就相同</translation>
    </message>
    <message>
        <source>thinks before it answers</source>
        <translation>回答前先思考</translation>
    </message>
    <message>
        <source>Thinking</source>
        <translation>思考</translation>
    </message>
    <message>
        <source>Whether the model is asked to think first; its thoughts are folded, and in the menu of its message</source>
        <translation>是否让模型先思考；思考内容会被折叠，可在该消息的菜单中查看</translation>
    </message>
    <message>
        <source>Name of a new preset</source>
        <translation>新预设的名称</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>保存</translation>
    </message>
    <message>
        <source>Save as a preset</source>
        <translation>保存为预设</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
    <message>
        <source>Delete this preset</source>
        <translation>删除此预设</translation>
    </message>
    <message>
        <source>Sampling: %1</source>
        <translation>采样：%1</translation>
    </message>
    <message>
        <source>Engine elsewhere</source>
        <translation>使用别处的引擎</translation>
    </message>
    <message>
        <source>The engine of a klp serve</source>
        <translation>klp serve 的引擎</translation>
    </message>
    <message>
        <source>A server of OpenAI's API</source>
        <translation>兼容 OpenAI API 的服务器</translation>
    </message>
    <message>
        <source>What is there</source>
        <translation>那里是什么</translation>
    </message>
    <message>
        <source>Address</source>
        <translation>地址</translation>
    </message>
    <message>
        <source>Through ssh</source>
        <translation>通过 ssh</translation>
    </message>
    <message>
        <source>a host, such as me@gpu: the address is as seen from there</source>
        <translation>主机，例如 me@gpu：地址以那台机器为准</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>the only one there</source>
        <translation>那里唯一的模型</translation>
    </message>
    <message>
        <source>Variable with the key</source>
        <translation>存有密钥的环境变量</translation>
    </message>
    <message>
        <source>%1, where it is set</source>
        <translation>%1（如果已设置）</translation>
    </message>
    <message>
        <source>Shape</source>
        <translation>形状</translation>
    </message>
    <message>
        <source>as the name says; kimi-linear-48b, or a config.json</source>
        <translation>按名称判断；也可填 kimi-linear-48b 或 config.json</translation>
    </message>
    <message>
        <source>Connect</source>
        <translation>连接</translation>
    </message>
    <message>
        <source>Any server of OpenAI's API: klp serve, vLLM, SGLang, llama.cpp's server, LM Studio, Ollama. Chat, speed, memory and logits work as ever; lenses that look into states and gates need an engine.</source>
        <translation>任何兼容 OpenAI API 的服务器：klp serve、vLLM、SGLang、llama.cpp 的服务器、LM Studio、Ollama。对话、速度、内存和 logits 照常可用；查看状态和门控的视图需要引擎。</translation>
    </message>
    <message>
        <source>klp serve on another machine lends its engine: chat, branches and every lens work as with one here. Its port is open to its own machine alone, so the way there is ssh.</source>
        <translation>另一台机器上的 klp serve 借出它的引擎：对话、分支和所有视图都和本机一样可用。它的端口只对那台机器自己开放，所以要通过 ssh 连接。</translation>
    </message>
    <message>
        <source>Asking for a run there…</source>
        <translation>正在向那里请求引擎…</translation>
    </message>
    <message>
        <source>Asking for a run there, through ssh…</source>
        <translation>正在通过 ssh 向那里请求引擎…</translation>
    </message>
    <message>
        <source>Asking what is served…</source>
        <translation>正在查询提供什么模型…</translation>
    </message>
    <message>
        <source>NO MODEL</source>
        <translation>没有模型</translation>
    </message>
    <message>
        <source>Recorded: %1</source>
        <translation>录制于：%1</translation>
    </message>
    <message>
        <source>REPLAY</source>
        <translation>回放</translation>
    </message>
    <message>
        <source>The pictures stand still; the model may go on (Ctrl+Space)</source>
        <translation>图保持不动；模型可以继续运行（Ctrl+Space）</translation>
    </message>
    <message>
        <source>NO ANSWER</source>
        <translation>无应答</translation>
    </message>
    <message>
        <source>The server at %1 does not answer any more</source>
        <translation>%1 的服务器不再应答</translation>
    </message>
    <message>
        <source>SERVED</source>
        <translation>外部服务</translation>
    </message>
    <message>
        <source>A server answers at %1: times are as they are met here, memory is computed from the shape</source>
        <translation>由 %1 的服务器回答：时间是在这里测得的，内存由形状算出</translation>
    </message>
    <message>
        <source>ANOTHER TALK</source>
        <translation>其他对话</translation>
    </message>
    <message>
        <source>Computed now, on this machine, but of other messages than those in sight: the model stands at another talk, or on another branch</source>
        <translation>此刻在本机计算，但不是眼前这些消息：模型停在另一个对话或另一个分支上</translation>
    </message>
    <message>
        <source>REMOTE</source>
        <translation>远程</translation>
    </message>
    <message>
        <source>Everything shown is computed now, by the engine of the klp serve at %1</source>
        <translation>所显示的一切此刻由 %1 的 klp serve 的引擎计算</translation>
    </message>
    <message>
        <source>LIVE</source>
        <translation>实时</translation>
    </message>
    <message>
        <source>Everything shown is computed now, on this machine</source>
        <translation>显示的一切都是此刻在本机计算的</translation>
    </message>
    <message>
        <source>What was said is kept.</source>
        <translation>已说的内容保留着。</translation>
    </message>
    <message>
        <source>%1 are being read: the tokens are fed again.</source>
        <translation>正在读取%1：重新输入词元。</translation>
    </message>
    <message>
        <source>%1 are read when the model rests: the tokens are fed again.</source>
        <translation>等模型空闲时读取%1：重新输入词元。</translation>
    </message>
    <message>
        <source>%1 were not read: feeding the tokens again was stopped. Choose a token to go on.</source>
        <translation>%1没有读到：重新输入词元被停止了。选择一个词元可继续。</translation>
    </message>
    <message>
        <source>Models on this disk</source>
        <translation>此磁盘上的模型</translation>
    </message>
    <message>
        <source>Look in a folder…</source>
        <translation>查找文件夹…</translation>
    </message>
    <message>
        <source>Models in it are listed from now on</source>
        <translation>从现在起列出其中的模型</translation>
    </message>
    <message>
        <source>A folder with models in it</source>
        <translation>含有模型的文件夹</translation>
    </message>
    <message>
        <source>Downloads one from the Hugging Face hub</source>
        <translation>从 Hugging Face hub 下载一个</translation>
    </message>
    <message>
        <source>%1; runs from the disk, slowly</source>
        <translation>%1；从磁盘运行，较慢</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>打开</translation>
    </message>
    <message>
        <source>None yet, in the folders of Hugging Face, LM Studio, llama.cpp, Ollama and this program.</source>
        <translation>在 Hugging Face、LM Studio、llama.cpp、Ollama 和本程序的文件夹中还没有找到。</translation>
    </message>
    <message>
        <source>The other branch</source>
        <translation>另一分支</translation>
    </message>
    <message>
        <source>This chat</source>
        <translation>此对话</translation>
    </message>
    <message>
        <source>Lens of this side</source>
        <translation>这一侧的视图</translation>
    </message>
    <message>
        <source>No lens</source>
        <translation>无视图</translation>
    </message>
    <message>
        <source>Vitals of this side</source>
        <translation>这一侧的指标</translation>
    </message>
    <message>
        <source>%1 in %2</source>
        <translation>%1，用时 %2</translation>
    </message>
    <message>
        <source>state %1</source>
        <translation>状态 %1</translation>
    </message>
    <message>
        <source>cache %1</source>
        <translation>缓存 %1</translation>
    </message>
    <message>
        <source>Tokens a second, the time that the answer's passes took, and the memory that this side holds</source>
        <translation>每秒词元数、回答各遍所用的时间，以及这一侧占用的内存</translation>
    </message>
    <message>
        <source>Singular values</source>
        <translation>奇异值</translation>
    </message>
    <message>
        <source>Singular values σ of the matrix shown, as shares of the largest; fixed logarithmic axis. The effective rank is e&lt;sup&gt;H&lt;/sup&gt;, H the entropy of σ / Σσ. Computed here from the picture, four times a second at most.</source>
        <translation>所示矩阵的奇异值 σ，以占最大者的份额表示；对数轴固定。有效秩为 e&lt;sup&gt;H&lt;/sup&gt;，H 是 σ / Σσ 的熵。由图在这里算出，每秒最多四次。</translation>
    </message>
    <message>
        <source>Effective rank %1 of %2, %3 above 1 percent of the largest</source>
        <translation>有效秩 %1（共 %2），%3 个大于最大者的百分之一</translation>
    </message>
    <message>
        <source>Effective rank %1</source>
        <translation>有效秩 %1</translation>
    </message>
    <message>
        <source>Rank %1</source>
        <translation>秩 %1</translation>
    </message>
    <message>
        <source>of %1; %2 above %3</source>
        <translation>共 %1 个；%2 个大于 %3</translation>
    </message>
    <message>
        <source>σ by rank</source>
        <translation>σ，从大到小</translation>
    </message>
    <message>
        <source>singular value %1 of %2: %3, %4 of the largest</source>
        <translation>奇异值 %1 / %2：%3，为最大者的 %4</translation>
    </message>
    <message>
        <source>See how it remembers</source>
        <translation>看它怎样记住</translation>
    </message>
    <message>
        <source>Three of four layers of Kimi Linear keep a memory of constant size that forgets, channel by channel, at a pace it decides token by token. Talk to a model and watch it happen.</source>
        <translation>Kimi Linear 的四层中有三层，记忆的大小始终不变，并且会遗忘：逐通道、逐词元地决定忘得多快。和模型说说话，看着它发生。</translation>
    </message>
    <message>
        <source>Watch a recorded run</source>
        <translation>观看录制的运行</translation>
    </message>
    <message>
        <source>Watch</source>
        <translation>观看</translation>
    </message>
    <message>
        <source>6 million parameters, trained on two CPU cores: a toy that answers in simple words and really remembers. It runs here, now.</source>
        <translation>600 万参数，在两个 CPU 核心上训练：一个用简单的词回答、真正有记忆的小模型。它现在就在这里运行。</translation>
    </message>
    <message>
        <source>Talk</source>
        <translation>对话</translation>
    </message>
    <message>
        <source>Open a model</source>
        <translation>打开模型</translation>
    </message>
    <message>
        <source>A Kimi Linear checkpoint in the Hugging Face layout (config.json, safetensors, tiktoken.model or tokenizer.json), or a GGUF file.</source>
        <translation>Hugging Face 格式的 Kimi Linear 检查点（config.json、safetensors、tiktoken.model 或 tokenizer.json），或一个 GGUF 文件。</translation>
    </message>
    <message>
        <source>Open…</source>
        <translation>打开…</translation>
    </message>
    <message>
        <source>A folder…</source>
        <translation>文件夹…</translation>
    </message>
    <message>
        <source>A GGUF file…</source>
        <translation>GGUF 文件…</translation>
    </message>
    <message>
        <source>Watch %1</source>
        <translation>观看 %1</translation>
    </message>
    <message>
        <source>Take the tour, eight steps</source>
        <translation>开始导览，共八步</translation>
    </message>
    <message>
        <source>Eight steps over this run, at your pace; it can be left at any moment</source>
        <translation>用八步看这次运行，快慢由你；随时可以离开</translation>
    </message>
    <message>
        <source>%1 more</source>
        <translation>另有 %1 个</translation>
    </message>
    <message>
        <source>More recordings</source>
        <translation>更多录制</translation>
    </message>
    <message>
        <source>This machine</source>
        <translation>这台机器</translation>
    </message>
    <message>
        <source>%1, %2, %3 instructions. %4 of %5 memory free.</source>
        <translation>%1，%2，%3 指令集。可用内存 %4 / %5。</translation>
    </message>
    <message>
        <source>Runs on the CPU: %1.</source>
        <translation>在 CPU 上运行：%1。</translation>
    </message>
    <message>
        <source>%1 %2 (fits)</source>
        <translation>%1 %2（放得下）</translation>
    </message>
    <message>
        <source>Kimi-Linear-48B-A3B with 128k tokens of context needs, by how its weights are stored: %1.</source>
        <translation>Kimi-Linear-48B-A3B 在 128k 词元上下文下，按权重的存储格式需要：%1。</translation>
    </message>
    <message>
        <source>Try: %1</source>
        <translation>试试：%1</translation>
    </message>
    <message>
        <source>You say:</source>
        <translation>你会说：</translation>
    </message>
    <message>
        <source>Each opens the lens where it shows something.</source>
        <translation>每一个都会打开能看出门道的视图。</translation>
    </message>
    <message>
        <source>Try one of these, or write below</source>
        <translation>试试其中一个，或在下面输入</translation>
    </message>
    <message>
        <source>Write below</source>
        <translation>请在下方输入</translation>
    </message>
    <message>
        <source>Watch: %1</source>
        <translation>看点：%1</translation>
    </message>
    <message>
        <source>Overwrite</source>
        <translation>改写</translation>
    </message>
    <message>
        <source>Erase</source>
        <translation>抹去</translation>
    </message>
    <message>
        <source>with the value of …</source>
        <translation>换成这个词的值…</translation>
    </message>
    <message>
        <source>Surgery, the word whose value it gets</source>
        <translation>手术，要取其值的词</translation>
    </message>
    <message>
        <source>A word that was said before the last question, or the number of a token. The last place where it stands is meant.</source>
        <translation>最后一个问题之前说过的一个词，或一个词元的编号。指它最后出现的地方。</translation>
    </message>
    <message>
        <source>Surgery, overwrite</source>
        <translation>手术，改写</translation>
    </message>
    <message>
        <source>S ← S + (v′ − S k) kᵀ before the last question: the pinned token's key reads the other's value. The question is answered again.</source>
        <translation>在最后一个问题之前 S ← S + (v′ − S k) kᵀ：固定词元的键读出另一个词元的值。问题会重新回答。</translation>
    </message>
    <message>
        <source>Surgery, erase</source>
        <translation>手术，抹去</translation>
    </message>
    <message>
        <source>The same with v′ = 0: nothing is read with its key any more. The question is answered again.</source>
        <translation>同样，但 v′ = 0：用它的键再也读不出任何东西。问题会重新回答。</translation>
    </message>
    <message>
        <source>Surgery, what each token's key reads and hears</source>
        <translation>手术，每个词元的键读到和听到什么</translation>
    </message>
    <message>
        <source>Send a message, then pin a word: what the state still answers for it, and for all others.</source>
        <translation>发送一条消息，然后固定一个词：看状态对它和所有其他词还能答出什么。</translation>
    </message>
    <message>
        <source>This recording holds no look at what this state can still read.</source>
        <translation>这个录制中没有记下这个状态还能读出什么。</translation>
    </message>
    <message>
        <source>Pin a word to read it, overwrite it or erase it in this state.</source>
        <translation>固定一个词，就可以在这个状态中读取、改写或抹去它。</translation>
    </message>
    <message>
        <source>is read with a cosine of %1, at %2 of its length</source>
        <translation>读出时余弦为 %1，长度为写入时的 %2</translation>
    </message>
    <message>
        <source>Now %1 %2.</source>
        <translation>现在%1%2。</translation>
    </message>
    <message>
        <source>Ask something behind it, and it can be cut.</source>
        <translation>在它之后问点什么，就可以对它动手术。</translation>
    </message>
    <message>
        <source>Before the last question %1 %2.</source>
        <translation>在最后一个问题之前，%1%2。</translation>
    </message>
    <message>
        <source>A cut would be heard most by %1: %2 of it.</source>
        <translation>%1会最多地听到一次手术：其中的 %2。</translation>
    </message>
    <message>
        <source>The cut was heard most by %1: %2 of it predicted, %3 measured.</source>
        <translation>%1最多地听到了这次手术：预计 %2，实测 %3。</translation>
    </message>
    <message>
        <source>%1: what its key reads has a cosine of %2 with what was written, and %3 times its length</source>
        <translation>%1：它的键读到的与写入的余弦为 %2，长度为 %3 倍</translation>
    </message>
    <message>
        <source>%1: not measured yet</source>
        <translation>%1：尚未测量</translation>
    </message>
    <message>
        <source>%1: hears %2 of the change, by its key</source>
        <translation>%1：按它的键会听到变化的 %2</translation>
    </message>
    <message>
        <source>%1: heard %2 of the change, measured</source>
        <translation>%1：实测听到了变化的 %2</translation>
    </message>
    <message>
        <source>can be read</source>
        <translation>可读出</translation>
    </message>
    <message>
        <source>would hear it</source>
        <translation>会听到</translation>
    </message>
    <message>
        <source>heard it</source>
        <translation>已听到</translation>
    </message>
    <message>
        <source>token</source>
        <translation>词元</translation>
    </message>
    <message>
        <source>Zoom to it</source>
        <translation>放大到此</translation>
    </message>
    <message>
        <source>Show the chosen range alone (R)</source>
        <translation>只显示所选范围（R）</translation>
    </message>
    <message>
        <source>Let go</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Let go of the chosen range: every lens shows all tokens again</source>
        <translation>取消所选范围：所有视图重新显示全部词元</translation>
    </message>
    <message>
        <source>update norm</source>
        <translation>更新量范数</translation>
    </message>
    <message>
        <source>entropy</source>
        <translation>熵</translation>
    </message>
    <message>
        <source>probability</source>
        <translation>概率</translation>
    </message>
    <message>
        <source>What the colours of the tokens show: how much each wrote (its surprise), how open the choice was, or how probable the token</source>
        <translation>词元的颜色表示什么：写入了多少（有多意外）、选择有多不确定，或词元的概率有多大</translation>
    </message>
    <message>
        <source>Zoom out</source>
        <translation>缩小</translation>
    </message>
    <message>
        <source>Zoom in</source>
        <translation>放大</translation>
    </message>
    <message>
        <source>All</source>
        <translation>全部</translation>
    </message>
    <message>
        <source>Show all tokens</source>
        <translation>显示全部词元</translation>
    </message>
    <message>
        <source>entropy, nats</source>
        <translation>熵（nat）</translation>
    </message>
    <message>
        <source>0 to %1</source>
        <translation>0 至 %1</translation>
    </message>
    <message>
        <source>The numbers</source>
        <translation>数值</translation>
    </message>
    <message>
        <source>not captured for these tokens</source>
        <translation>这些词元没有记录</translation>
    </message>
    <message>
        <source>the times of these tokens were not kept</source>
        <translation>这些词元的时间没有保留</translation>
    </message>
    <message>
        <source>no token has been made yet</source>
        <translation>还没有生成词元</translation>
    </message>
    <message>
        <source>state + cache</source>
        <translation>状态 + 缓存</translation>
    </message>
    <message>
        <source>same-shapes twin, computed</source>
        <translation>同形状对照模型（计算值）</translation>
    </message>
    <message>
        <source>multi-head, computed</source>
        <translation>多头（计算值）</translation>
    </message>
    <message>
        <source>memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>time per token, ms, log</source>
        <translation>每词元用时（毫秒，对数）</translation>
    </message>
    <message>
        <source>≤ %1</source>
        <translation>≤ %1</translation>
    </message>
    <message>
        <source>median of heads</source>
        <translation>各头中位数</translation>
    </message>
    <message>
        <source>95th percentile</source>
        <translation>第 95 百分位</translation>
    </message>
    <message>
        <source>state norm</source>
        <translation>状态范数</translation>
    </message>
    <message>
        <source>probability %1</source>
        <translation>概率 %1</translation>
    </message>
    <message>
        <source>entropy %1 nats</source>
        <translation>熵 %1 nat</translation>
    </message>
    <message>
        <source>fed, not made</source>
        <translation>输入的，不是生成的</translation>
    </message>
    <message>
        <source>dropped from the cache</source>
        <translation>已从缓存丢弃</translation>
    </message>
    <message>
        <source>update %1</source>
        <translation>更新量 %1</translation>
    </message>
    <message>
        <source>state norm %1</source>
        <translation>状态范数 %1</translation>
    </message>
    <message>
        <source>grey: its readings are not kept</source>
        <translation>灰色：读数没有保留</translation>
    </message>
    <message>
        <source>No tokens yet</source>
        <translation>还没有词元</translation>
    </message>
    <message>
        <source>%1; newest: %2</source>
        <translation>%1；最新：%2</translation>
    </message>
    <message>
        <source>%1; pinned: %2</source>
        <translation>%1；固定：%2</translation>
    </message>
    <message>
        <source>Every token will stand here, from left to right: send a message, or watch a recorded run.</source>
        <translation>所有词元将从左到右排在这里：发送一条消息，或观看录制的运行。</translation>
    </message>
    <message>
        <source>%1 dropped from the cache</source>
        <translation>%1 个已从缓存丢弃</translation>
    </message>
    <message>
        <source>All tokens, and the part that is shown: click or drag to go there</source>
        <translation>全部词元，以及显示的部分：点击或拖动可前往</translation>
    </message>
    <message>
        <source>Click pins it; drag chooses a range; the wheel zooms, R to the range.</source>
        <translation>点击可固定；拖动选择范围；滚轮缩放，R 放大到所选范围。</translation>
    </message>
    <message>
        <source>Surprise %1 nats: a probability of %2</source>
        <translation>意外程度 %1 nat：概率 %2</translation>
    </message>
    <message>
        <source>Update norm %1, median of all heads</source>
        <translation>更新范数 %1，所有头的中位数</translation>
    </message>
    <message>
        <source>Update norm %1 in state %2.%3</source>
        <translation>状态 %2.%3 中的更新范数 %1</translation>
    </message>
    <message>
        <source>%1 of it is left in state %2.%3</source>
        <translation>状态 %2.%3 中还剩 %1</translation>
    </message>
    <message>
        <source>KL divergence %1 nats</source>
        <translation>KL 散度 %1 nat</translation>
    </message>
    <message>
        <source>Surprise: −log of each token's probability</source>
        <translation>意外程度：每个词元概率的 −log</translation>
    </message>
    <message>
        <source>Update norm: how much each token wrote, median of all heads</source>
        <translation>更新范数：每个词元写入了多少，所有头的中位数</translation>
    </message>
    <message>
        <source>Update norm: how much each token wrote into state %1.%2</source>
        <translation>更新范数：每个词元向状态 %1.%2 写入了多少</translation>
    </message>
    <message>
        <source>What is left of each token in state %1.%2, by decay and overwriting</source>
        <translation>状态 %1.%2 中每个词元经衰减和覆盖后的剩余</translation>
    </message>
    <message>
        <source>Difference from the other branch: KL divergence at each token</source>
        <translation>与另一分支的差异：每个词元处的 KL 散度</translation>
    </message>
    <message>
        <source>0 to 100 %</source>
        <translation>0 到 100 %</translation>
    </message>
    <message>
        <source>0 to %1 nats (2 %) and more</source>
        <translation>0 到 %1 nat（2 %）及以上</translation>
    </message>
    <message>
        <source>0 to %1 nats</source>
        <translation>0 到 %1 nat</translation>
    </message>
    <message>
        <source>Not known of any word here</source>
        <translation>这里没有一个词的数值</translation>
    </message>
    <message>
        <source>an answer under hands has another one beside it: open Hands in a lens</source>
        <translation>受干预的回答旁边才有另一个回答：请在视图中打开“干预”</translation>
    </message>
    <message>
        <source>what people wrote was not chosen by the model</source>
        <translation>人写的文字不是模型选出的</translation>
    </message>
    <message>
        <source>they were told since, or too far back; it is looked at when the model rests</source>
        <translation>它们是之后才说的，或太久以前；模型空闲时再查看</translation>
    </message>
    <message>
        <source>the model has not told, or stands at another line</source>
        <translation>模型没有给出，或停在另一行对话</translation>
    </message>
    <message>
        <source>%1: %2.</source>
        <translation>%1：%2。</translation>
    </message>
    <message>
        <source>… %1 tokens …</source>
        <translation>… %1 个词元 …</translation>
    </message>
    <message>
        <source>End the tour</source>
        <translation>结束导览</translation>
    </message>
    <message>
        <source>Next</source>
        <translation>下一步</translation>
    </message>
    <message>
        <source>Done</source>
        <translation>完成</translation>
    </message>
    <message>
        <source>Tour, step %1: %2</source>
        <translation>导览，第 %1 步：%2</translation>
    </message>
    <message>
        <source>Vitals</source>
        <translation>运行指标</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>速度</translation>
    </message>
    <message>
        <source>Tokens a second while decoding, over about the last second of it</source>
        <translation>解码时每秒的词元数，取最近约一秒</translation>
    </message>
    <message>
        <source>Context</source>
        <translation>上下文</translation>
    </message>
    <message>
        <source>Tokens of this conversation, of those the model can hold</source>
        <translation>此对话的词元数 / 模型能容纳的词元数</translation>
    </message>
    <message>
        <source>Context used</source>
        <translation>上下文占用</translation>
    </message>
    <message>
        <source>State</source>
        <translation>状态</translation>
    </message>
    <message>
        <source>States and convolution tails: the same however long the conversation</source>
        <translation>状态和卷积尾部：无论对话多长都一样大</translation>
    </message>
    <message>
        <source>Cache</source>
        <translation>缓存</translation>
    </message>
    <message>
        <source>What attention keeps of every token: it grows with each, in pages of 256</source>
        <translation>注意力为每个词元保留的内容：随每个词元增长，每页 256 个</translation>
    </message>
    <message>
        <source>Baseline</source>
        <translation>对比基线</translation>
    </message>
    <message>
        <source>What the full-attention twin (attention in every layer) and plain multi-head attention would hold for the same tokens: computed, in whole pages. Which of them is shown is chosen at Compare in the run bar</source>
        <translation>对同样的词元，全注意力孪生模型（每层都是注意力）与普通多头注意力会占多少：按整页计算。显示哪一个在运行栏的“比较”中选择</translation>
    </message>
    <message>
        <source>Process memory</source>
        <translation>进程内存</translation>
    </message>
    <message>
        <source>Memory of this program, and of files that it reads where they lie (weights): the system takes those pages back when others need them</source>
        <translation>本程序的内存，以及就地读取的文件（权重）：其他程序需要时，系统会收回这些页</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>负载</translation>
    </message>
    <message>
        <source>Telemetry</source>
        <translation>遥测</translation>
    </message>
    <message>
        <source>What watching took of the last answer's decoding time; and readings that came faster than they could be drawn and were left out</source>
        <translation>观察占上一个回答解码时间的比例；以及来得太快、来不及绘制而略去的读数</translation>
    </message>
    <message>
        <source>%1 / %2 + %3 dropped</source>
        <translation>%1 / %2 + 丢弃 %3</translation>
    </message>
    <message>
        <source>Of %1 the cache holds the newest %2; %3 were dropped from it. The KDA states have seen all of them</source>
        <translation>在 %1中，缓存保留最新的 %2 个；%3 个已从中丢弃。KDA 状态看过全部内容</translation>
    </message>
    <message>
        <source>same-shapes twin %1</source>
        <translation>同形状对照模型 %1</translation>
    </message>
    <message>
        <source>multi-head %1</source>
        <translation>多头 %1</translation>
    </message>
    <message>
        <source>RAM %1 + %2 of files</source>
        <translation>内存 %1 + 文件 %2</translation>
    </message>
    <message>
        <source>telemetry %1</source>
        <translation>遥测 %1</translation>
    </message>
    <message>
        <source>server: %1 running</source>
        <translation>服务器：%1 个进行中</translation>
    </message>
    <message>
        <source>%1 waiting</source>
        <translation>%1 个等待中</translation>
    </message>
    <message>
        <source>server's cache %1</source>
        <translation>服务器缓存 %1</translation>
    </message>
    <message>
        <source>holds %1</source>
        <translation>占用 %1</translation>
    </message>
    <message>
        <source>What the server's own figures (/metrics) say: all requests, not this conversation alone</source>
        <translation>服务器自己的数字（/metrics）：所有请求，不只是这个对话</translation>
    </message>
    <message>
        <source>GPU %1</source>
        <translation>GPU %1</translation>
    </message>
    <message>
        <source>The GPU, as its driver says: time in kernels over the last moments, memory of all programs</source>
        <translation>GPU，数据来自驱动：最近片刻的内核运行时间占比，所有程序的显存</translation>
    </message>
    <message>
        <source>%1 MHz</source>
        <translation>%1 MHz</translation>
    </message>
    <message>
        <source>%1 W</source>
        <translation>%1 W</translation>
    </message>
    <message>
        <source>%1 °C</source>
        <translation>%1 °C</translation>
    </message>
    <message>
        <source>CPU time of this program over the last second, of all cores</source>
        <translation>本程序最近一秒的 CPU 时间，占全部核心</translation>
    </message>
    <message>
        <source>CPU %1</source>
        <translation>CPU %1</translation>
    </message>
    <message>
        <source>Model's own</source>
        <translation>模型自带</translation>
    </message>
    <message>
        <source>Precise</source>
        <translation>精确</translation>
    </message>
    <message>
        <source>Balanced</source>
        <translation>平衡</translation>
    </message>
    <message>
        <source>Creative</source>
        <translation>创意</translation>
    </message>
    <message>
        <source>%1 %</source>
        <comment>unit</comment>
        <translation>%1%</translation>
    </message>
    <message>
        <source>%1 B</source>
        <comment>unit</comment>
        <translation>%1 B</translation>
    </message>
    <message>
        <source>%1 KiB</source>
        <comment>unit</comment>
        <translation>%1 KiB</translation>
    </message>
    <message>
        <source>%1 MiB</source>
        <comment>unit</comment>
        <translation>%1 MiB</translation>
    </message>
    <message>
        <source>%1 GiB</source>
        <comment>unit</comment>
        <translation>%1 GiB</translation>
    </message>
    <message>
        <source>%1 TiB</source>
        <comment>unit</comment>
        <translation>%1 TiB</translation>
    </message>
    <message>
        <source>%1 ns</source>
        <comment>unit</comment>
        <translation>%1 纳秒</translation>
    </message>
    <message>
        <source>%1 us</source>
        <comment>unit</comment>
        <translation>%1 微秒</translation>
    </message>
    <message>
        <source>%1 ms</source>
        <comment>unit</comment>
        <translation>%1 毫秒</translation>
    </message>
    <message>
        <source>%1 s</source>
        <comment>unit</comment>
        <translation>%1 秒</translation>
    </message>
    <message>
        <source>%1 min</source>
        <comment>unit</comment>
        <translation>%1 分</translation>
    </message>
    <message>
        <source>Decay</source>
        <translation>衰减</translation>
    </message>
    <message>
        <source>How fast each channel of the memory forgets.</source>
        <translation>记忆的每个通道忘得有多快。</translation>
    </message>
    <message>
        <source>&lt;p&gt;Each cell is one channel of one head: a column of its state. The brighter it is, the longer it keeps what it holds. Every token sets all of them anew, so the map changes from word to word.&lt;/p&gt;&lt;p&gt;A half-life of the map is that of &lt;i&gt;one&lt;/i&gt; token, as if its gate came again and again. &lt;i&gt;Half-life over what was fed&lt;/i&gt; is that of all tokens until now together, which is usually much shorter. Neither counts what later tokens overwrite: the lens Attention does.&lt;/p&gt;</source>
        <translation>&lt;p&gt;每一格是一个头的一个通道：状态的一列。越亮，内容保留得越久。每个词元都会重新设定所有通道，所以这张图逐词变化。&lt;/p&gt;&lt;p&gt;图中的半衰期是&lt;i&gt;一个&lt;/i&gt;词元的，就好像它的门控一再出现。&lt;i&gt;已输入部分的半衰期&lt;/i&gt;是到目前为止全部词元合在一起的，通常短得多。两者都不计后来词元的覆写，“注意力”视图才计入。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Click a bright cell: State and Attention go to its head. Click a token in the timeline: the map is that of its gates, and the sentence says how much of it is left. The lens &lt;i&gt;A fact's life&lt;/i&gt; shows it fade, head by head.&lt;/p&gt;&lt;p&gt;&lt;i&gt;Hands&lt;/i&gt;: make half-lives eight times as long or short, and the last question is answered again beside the answer that stands.&lt;/p&gt;</source>
        <translation>&lt;p&gt;点一个亮格：“状态”和“注意力”会转到它的头。点时间线上的一个词元：图就是它的门控，上方那句话说明它还剩多少。视图&lt;i&gt;事实的一生&lt;/i&gt;逐头显示它如何淡去。&lt;/p&gt;&lt;p&gt;&lt;i&gt;干预&lt;/i&gt;：把半衰期变为八倍或八分之一，最后一个问题会在已有回答旁边重新回答。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;At every token S ← S Diag(α), then S ← S + β (v − S k) kᵀ.&lt;/p&gt;&lt;p&gt;α = e&lt;sup&gt;g&lt;/sup&gt;, one for each column of S. Half-life of a token: ln 2 / −g. Over n fed tokens: −n / log&lt;sub&gt;2&lt;/sub&gt; ∏ α.&lt;/p&gt;</source>
        <translation>&lt;p&gt;每个词元处先 S ← S Diag(α)，再 S ← S + β (v − S k) kᵀ。&lt;/p&gt;&lt;p&gt;α = e&lt;sup&gt;g&lt;/sup&gt;，S 的每一列一个。一个词元的半衰期：ln 2 / −g。输入 n 个词元后：−n / log&lt;sub&gt;2&lt;/sub&gt; ∏ α。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>One head's memory: a matrix that every token rewrites a little.</source>
        <translation>一个头的记忆：一个每个词元都会改写一点的矩阵。</translation>
    </message>
    <message>
        <source>&lt;p&gt;The square is the whole memory of one head. Its columns are the channels of keys, its rows those of values; colours show the sign around zero. The bars at its edges are the root mean square of a row or column. Beside it: how strong each of its directions is. Few long bars mean that few things are held apart.&lt;/p&gt;&lt;p&gt;Below: the size of each head's state, token by token, and how much each token wrote. Click one to go there. Or surgery: whether the state still reads under each token's key what that token wrote, and how much of a cut at the pinned one the others would hear. Or the same tokens &lt;i&gt;under other rules&lt;/i&gt;: the matrix that each would have left, its norm, and what it still recalls.&lt;/p&gt;</source>
        <translation>&lt;p&gt;这个方块就是一个头的全部记忆。列是键的通道，行是值的通道；颜色表示正负。边上的条是一行或一列的均方根。旁边是每个方向有多强。长条很少，说明分开保存的东西很少。&lt;/p&gt;&lt;p&gt;下面：每个头的状态逐词元的大小，以及每个词元写入了多少。点一个可转到那里。或者做手术：看状态在每个词元的键下是否还能读出它写入的内容，以及在固定词元处的一次手术会被其他词元听到多少。或者看同样的词元在&lt;i&gt;其他规则下&lt;/i&gt;：每种规则会留下的矩阵、它的范数，以及还能回忆起什么。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Hold the state as A, say something, then choose &lt;i&gt;Now − A&lt;/i&gt;: what is left is what those words wrote. Click another token to see the state as it was behind it.&lt;/p&gt;&lt;p&gt;Pin a fact's word, choose &lt;i&gt;Surgery&lt;/i&gt; below the matrix and overwrite it with another word that was said: the last question is answered again.&lt;/p&gt;&lt;p&gt;Choose &lt;i&gt;Under other rules&lt;/i&gt; and a head that keeps the pinned word: which rule would have lost it?&lt;/p&gt;&lt;p&gt;&lt;i&gt;Hands&lt;/i&gt;: let a head write or read nothing, or empty it, and see what the model still knows.&lt;/p&gt;</source>
        <translation>&lt;p&gt;把状态保留为 A，说点什么，再选择&lt;i&gt;现在 − A&lt;/i&gt;：剩下的就是那些话写入的内容。点另一个词元，可以看它之后的状态。&lt;/p&gt;&lt;p&gt;固定一个事实的词，在矩阵下方选择&lt;i&gt;手术&lt;/i&gt;，用另一个说过的词改写它：最后一个问题会重新回答。&lt;/p&gt;&lt;p&gt;选择&lt;i&gt;其他规则下&lt;/i&gt;和一个记着固定词的头：哪种规则会把它丢掉？&lt;/p&gt;&lt;p&gt;&lt;i&gt;干预&lt;/i&gt;：让一个头不写入或不读取，或把它清空，看看模型还知道什么。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;S is V × K numbers, whatever the context. S ← S Diag(α) + β (v − S Diag(α) k) kᵀ; a query reads o = S q / √K.&lt;/p&gt;&lt;p&gt;Effective rank: e to the entropy of the shares that the singular values have of their sum.&lt;/p&gt;&lt;p&gt;A cut at a key k of length 1: S ← S + (v′ − S k) kᵀ, so k reads v′ (erased: 0) and another key k&lt;sub&gt;j&lt;/sub&gt; hears k&lt;sub&gt;j&lt;/sub&gt; · k of the change. (Schlag, Irie, Schmidhuber 2021; arXiv 2501.12352)&lt;/p&gt;&lt;p&gt;Other rules: α one for the head, the mean of its channels (Gated DeltaNet), or 1 (DeltaNet, linear attention); writing β v kᵀ without what is read already (GLA, linear attention). q, k, v, α and β stay those of the model.&lt;/p&gt;</source>
        <translation>&lt;p&gt;无论上下文多长，S 都是 V × K 个数。S ← S Diag(α) + β (v − S Diag(α) k) kᵀ；查询读出 o = S q / √K。&lt;/p&gt;&lt;p&gt;有效秩：e 的熵次幂，熵取自各奇异值占总和的份额。&lt;/p&gt;&lt;p&gt;在长度为 1 的键 k 处动手术：S ← S + (v′ − S k) kᵀ，于是 k 读出 v′（抹去则为 0），另一个键 k&lt;sub&gt;j&lt;/sub&gt; 听到变化的 k&lt;sub&gt;j&lt;/sub&gt; · k。（Schlag、Irie、Schmidhuber 2021；arXiv 2501.12352）&lt;/p&gt;&lt;p&gt;其他规则：α 整个头一个，即各通道的平均（Gated DeltaNet），或为 1（DeltaNet、线性注意力）；写入 β v kᵀ，不减去已经读出的（GLA、线性注意力）。q、k、v、α、β 仍是模型自己的。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>Bytes this conversation holds, and what full attention would hold.</source>
        <translation>此对话占用的字节，以及全注意力会占用的字节。</translation>
    </message>
    <message>
        <source>&lt;p&gt;The line of this model is nearly flat: its states are as large at the first token as at the last, and only the cache of its few MLA layers grows. Full attention begins with nothing and grows in every layer. Where the lines cross, this model begins to need less.&lt;/p&gt;</source>
        <translation>&lt;p&gt;本模型的线几乎是平的：状态在第一个词元时与最后一个词元时一样大，只有少数 MLA 层的缓存会增长。全注意力从零开始，每一层都增长。两线相交之后，本模型需要的更少。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Move &lt;i&gt;what if it were&lt;/i&gt; to a million tokens. Choose the 48B among the shapes: no weights are needed for that.&lt;/p&gt;</source>
        <translation>&lt;p&gt;把&lt;i&gt;假如有&lt;/i&gt;移到一百万词元。在形状中选择 48B：不需要权重。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;State and convolution tails are constant. The MLA cache grows by (r&lt;sub&gt;kv&lt;/sub&gt; + d&lt;sub&gt;rope&lt;/sub&gt;) values a token and MLA layer, in pages of 256 tokens. The same-shapes twin is this model with MLA in every layer; multi-head attention keeps keys and values of every head and layer. All three follow from the shapes; what is held now is counted.&lt;/p&gt;</source>
        <translation>&lt;p&gt;状态和卷积缓存大小不变。MLA 缓存每个词元、每个 MLA 层增加 (r&lt;sub&gt;kv&lt;/sub&gt; + d&lt;sub&gt;rope&lt;/sub&gt;) 个值，每页 256 个词元。同形状对照模型就是本模型，但每一层都是 MLA；多头注意力保留每层每头的键和值。三者都由形状算出；当前占用的是实际计数。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Race</source>
        <translation>竞速</translation>
    </message>
    <message>
        <source>This model and its full-attention twin, in turn on the same tokens.</source>
        <translation>本模型与全注意力对照模型，在相同的词元上轮流运行。</translation>
    </message>
    <message>
        <source>&lt;p&gt;Both models decode the same tokens in turn, one each, at growing contexts. Above: how long a token takes. Below: what the conversation holds. A point is the median of the tokens there, its bar goes from the fastest to the slowest; what is dashed was not measured now.&lt;/p&gt;</source>
        <translation>&lt;p&gt;两个模型轮流解码相同的词元，一次一个，上下文逐渐变长。上：一个词元用多久。下：对话占用多少。点是该处各词元的中位数，竖条从最快到最慢；虚线不是现在测得的。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Press Start. Race to a longer context: attention reads more with every token, a state does not.&lt;/p&gt;</source>
        <translation>&lt;p&gt;按“开始”。把竞速推到更长的上下文：注意力每多一个词元就要多读一些，状态则不会。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Speed is tokens over the time of their passes. The line above says which twin ran: a trained one has shapes of its own.&lt;/p&gt;&lt;p&gt;For comparison, the Kimi Linear report (arXiv 2510.26692) gives up to 6.3 times less time for a token at 1M tokens and up to 75 % less cache, for the 48B model on its authors' GPUs.&lt;/p&gt;</source>
        <translation>&lt;p&gt;速度是词元数除以前向计算的时间。上面一行说明运行的是哪种对照模型：训练过的有自己的形状。&lt;/p&gt;&lt;p&gt;作为参照，Kimi Linear 技术报告（arXiv 2510.26692）给出：48B 模型在作者的 GPU 上，1M 词元时每个词元的用时最多缩短到 1/6.3，缓存最多减少 75%。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Experts</source>
        <translation>专家</translation>
    </message>
    <message>
        <source>Which experts the router sent the last tokens to.</source>
        <translation>路由器把最近的词元分给了哪些专家。</translation>
    </message>
    <message>
        <source>&lt;p&gt;A row is a layer, a cell is one of its experts. The brighter it is, the more of the last tokens it worked on. Dots are the picks of the chosen token.&lt;/p&gt;&lt;p&gt;Below: how uneven each layer is. A balanced layer lies at 1 and 0.&lt;/p&gt;</source>
        <translation>&lt;p&gt;一行是一层，一格是其中一个专家。越亮，最近的词元中由它处理的越多。圆点是所选词元选中的专家。&lt;/p&gt;&lt;p&gt;下面：每一层有多不均衡。均衡的层位于 1 和 0。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Click two tokens of one sentence and compare their dots. Count 32 tokens, then 512: does a favourite stay one?&lt;/p&gt;&lt;p&gt;&lt;i&gt;Hands&lt;/i&gt;: silence the chosen expert and see who takes its place.&lt;/p&gt;</source>
        <translation>&lt;p&gt;点同一句话里的两个词元，比较它们的圆点。先数 32 个词元，再数 512 个：偏爱的专家还是同一个吗？&lt;/p&gt;&lt;p&gt;&lt;i&gt;干预&lt;/i&gt;：让所选专家静默，看看谁来接替。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Load: an expert's share of the picks over the share that all would have in balance, top-k / experts. Imbalance: the busiest expert's load over the mean, and the standard deviation over the mean.&lt;/p&gt;</source>
        <translation>&lt;p&gt;负载：一个专家占选中次数的份额，除以均衡时每个专家的份额（top-k / 专家数）。不均衡度：最忙专家的负载与均值之比，以及标准差与均值之比。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Logits</source>
        <translation>Logits</translation>
    </message>
    <message>
        <source>What the model could have said instead: click one to branch there.</source>
        <translation>模型还可能说什么：点一个，从那里分支。</translation>
    </message>
    <message>
        <source>&lt;p&gt;The tokens that were most likely in the place of the chosen one, with their probabilities. Below: how unsure the model was at each token of its answers. There is no line over a prompt, which is read and not chosen.&lt;/p&gt;</source>
        <translation>&lt;p&gt;在所选词元的位置上最有可能的词元，以及它们的概率。下面：模型在回答的每个词元处有多不确定。提示词上没有线，因为它是读入的，不是选出的。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Click a candidate: the talk goes on from there with that word, and what was said stays as another branch. Click a peak of the line and see what it wavered between.&lt;/p&gt;</source>
        <translation>&lt;p&gt;点一个候选：对话就用那个词从那里继续，说过的内容作为另一个分支保留。点线上的一个峰，看它在哪些词之间犹豫。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Softmax of the model's own logits, before temperature and cuts. Entropy in nats: e to it is the number of equal choices that would be as unsure. Spaces are shown as ·, line ends as ⏎.&lt;/p&gt;</source>
        <translation>&lt;p&gt;模型自身 logits 的 softmax，在温度和截断之前。熵以 nat 计：e 的熵次幂就是同样不确定的等可能选项数。空格显示为 ·，行尾显示为 ⏎。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Attention</source>
        <translation>注意力</translation>
    </message>
    <message>
        <source>Which past tokens are read: by a cache, and by a state.</source>
        <translation>读取了哪些过去的词元：由缓存，以及由状态。</translation>
    </message>
    <message>
        <source>&lt;p&gt;One token looks back, and both kinds of memory say what of the past comes through to it. A cache keeps every token, so its bars are shares that sum to 1. A state keeps no tokens: its bars say what each of them still adds to what is read, or takes away. A hollow bar is what it would add if no later token had overwritten anything.&lt;/p&gt;&lt;p&gt;Bars and colours grow with the root of the weight, so that small ones are seen.&lt;/p&gt;</source>
        <translation>&lt;p&gt;一个词元回看，两种记忆各自说明过去有什么传到了它这里。缓存保留每个词元，所以它的条是合计为 1 的份额。状态不保留词元：它的条表示每个词元对读出的内容还增加多少，或减去多少。空心条表示如果没有后来的词元覆写，它会增加多少。&lt;/p&gt;&lt;p&gt;条和颜色按权重的平方根增长，这样小的也能看见。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Click a name in the answer: does the cache look at where it was told? Then choose &lt;i&gt;all heads&lt;/i&gt; to find the head that does it.&lt;/p&gt;&lt;p&gt;&lt;i&gt;Hands&lt;/i&gt;: hide the words that it looks at, and let it answer again.&lt;/p&gt;</source>
        <translation>&lt;p&gt;点回答里的一个名字：缓存看的是告诉它名字的地方吗？再选择&lt;i&gt;所有头&lt;/i&gt;，找出是哪个头做的。&lt;/p&gt;&lt;p&gt;&lt;i&gt;干预&lt;/i&gt;：隐藏它所看的词，让它重新回答。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;MLA: softmax weights over the cache. KDA: the delta rule unrolled, o = Σ w&lt;sub&gt;i&lt;/sub&gt; v&lt;sub&gt;i&lt;/sub&gt;, backwards from r = q: w = β k·r, then r ← α (r − w k); for S as V × K. It comes from feeding these tokens again while the model rests; for a state the last 2,048.&lt;/p&gt;</source>
        <translation>&lt;p&gt;MLA：缓存上的 softmax 权重。KDA：展开的 delta 规则，o = Σ w&lt;sub&gt;i&lt;/sub&gt; v&lt;sub&gt;i&lt;/sub&gt;，从 r = q 开始倒推：w = β k·r，然后 r ← α (r − w k)；S 为 V × K。数据来自模型空闲时重新输入这些词元；状态只回看最后 2,048 个。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>A fact's life</source>
        <translation>事实的一生</translation>
    </message>
    <message>
        <source>What becomes of a pinned word in every memory.</source>
        <translation>一个固定的词在每个记忆中的经历。</translation>
    </message>
    <message>
        <source>&lt;p&gt;A token writes a value under a key into the state of every head. The curves show how much of it can still be read there with its own key: on the left after the gates' decay alone, on the right after what later tokens wrote, too. Below 0 later writes speak against it.&lt;/p&gt;&lt;p&gt;Below: how much of what a head of a cache reads is this token's row, and how probable this token was where answers were made.&lt;/p&gt;&lt;p&gt;&lt;i&gt;Who reads it&lt;/i&gt; ranks all heads, of states and of caches, by how much of what they read at a token is this word's.&lt;/p&gt;</source>
        <translation>&lt;p&gt;一个词元在每个头的状态里，在一个键下写入一个值。曲线表示用它自己的键还能在那里读出多少：左边只经过门控的衰减，右边还经过后来词元的写入。低于 0 表示后来的写入与它相反。&lt;/p&gt;&lt;p&gt;下面：缓存的一个头读到的内容中有多少是这个词元的行，以及在生成回答之处这个词元有多大概率。&lt;/p&gt;&lt;p&gt;&lt;i&gt;谁在读它&lt;/i&gt;把所有状态头和缓存头按某个词元处所读内容中这个词的份额排序。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Tell a fact, pin its word with a click, then talk of something else and ask for it: the curves sink, and the probability says whether it was still found. Choose a head: the lens State can overwrite or erase it there.&lt;/p&gt;</source>
        <translation>&lt;p&gt;说一个事实，点击固定它的词，再聊点别的，然后问它：曲线会下降，概率说明是否还找得到它。选一个头：“状态”视图可以在那里改写或抹去它。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;A write β k v&lt;sup&gt;T&lt;/sup&gt; lies in S after token t as β p v&lt;sup&gt;T&lt;/sup&gt;: p ← (I − β k kᵀ) Diag(α) p with each token's own α, β and k. Decay alone: k · ∏ α k. Both: k · p. A later token reads it with β q · p (its weight of the unrolled rule). Of a cache: the softmax weight of its row.&lt;/p&gt;&lt;p&gt;Its share of what a head reads: of a cache that weight; of a state, whose output o is the sum of all w v, (w v · o) / |o|². Over all tokens the shares of a head add up to 1. (Schlag, Irie, Schmidhuber 2021; arXiv 2501.12352)&lt;/p&gt;</source>
        <translation>&lt;p&gt;一次写入 β k v&lt;sup&gt;T&lt;/sup&gt; 在词元 t 之后以 β p v&lt;sup&gt;T&lt;/sup&gt; 留在 S 里：p ← (I − β k kᵀ) Diag(α) p，其中 α、β、k 属于各个词元。仅经衰减：k · ∏ α k。两者：k · p。后来的词元以 β q · p 读它（展开规则中的权重）。对缓存：它的行的 softmax 权重。&lt;/p&gt;&lt;p&gt;它在一个头所读内容中的份额：缓存即该权重；状态的输出 o 是所有 w v 之和，份额为 (w v · o) / |o|²。一个头对所有词元的份额之和为 1。（Schlag、Irie、Schmidhuber 2021；arXiv 2501.12352）&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Log</source>
        <translation>日志</translation>
    </message>
    <message>
        <source>What happened, in order.</source>
        <translation>发生了什么，按先后顺序。</translation>
    </message>
    <message>
        <source>&lt;p&gt;Loads, prompts, answers, moves and errors, with their times.&lt;/p&gt;</source>
        <translation>&lt;p&gt;加载、提示词、回答、移动和错误，以及它们的时间。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Choose &lt;i&gt;everything&lt;/i&gt; for the details.&lt;/p&gt;</source>
        <translation>&lt;p&gt;选择&lt;i&gt;全部&lt;/i&gt;查看细节。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Model map</source>
        <translation>模型地图</translation>
    </message>
    <message>
        <source>All layers of the model, from bottom to top.</source>
        <translation>模型的所有层，自下而上。</translation>
    </message>
    <message>
        <source>&lt;p&gt;A token enters below and goes up through every layer: first the mixer, where it meets the tokens before it, then the feed-forward part, where it is alone. A mixer with a state remembers in a matrix of constant size, one with a cache keeps a row of every token.&lt;/p&gt;&lt;p&gt;The bars say how many bytes of weights one token reads in each layer.&lt;/p&gt;</source>
        <translation>&lt;p&gt;词元从下面进入，向上经过每一层：先是混合层，在那里遇到之前的词元；然后是前馈部分，在那里它独自一个。有状态的混合层把记忆放在大小不变的矩阵里，有缓存的为每个词元保留一行。&lt;/p&gt;&lt;p&gt;条形表示一个词元在每一层读多少字节的权重。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Click a layer: every lens that shows one layer goes there. The keys Up and Down do the same.&lt;/p&gt;</source>
        <translation>&lt;p&gt;点一层：所有只显示一层的透镜都会转到那里。上、下方向键也一样。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;All is counted from the shapes, with matrices in the type that most weights have: of the experts as many as are picked for a token, states in f32 with the tails of their convolutions, caches in the type that they have here.&lt;/p&gt;</source>
        <translation>&lt;p&gt;全部由形状算出，矩阵按多数权重的类型计：专家只算一个词元选中的那些，状态为 f32，含卷积的尾部，缓存按这里的类型。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>rule</source>
        <translation>规则</translation>
    </message>
    <message>
        <source>norm</source>
        <translation>范数</translation>
    </message>
    <message>
        <source>feed-forward</source>
        <translation>前馈</translation>
    </message>
    <message>
        <source>bytes a token reads</source>
        <translation>每词元读的字节</translation>
    </message>
    <message>
        <source>bytes a token</source>
        <translation>每词元字节</translation>
    </message>
    <message>
        <source>position</source>
        <translation>位置</translation>
    </message>
    <message>
        <source>cache weight</source>
        <translation>缓存权重</translation>
    </message>
    <message>
        <source>share</source>
        <translation>份额</translation>
    </message>
    <message>
        <source>state weight</source>
        <translation>状态权重</translation>
    </message>
    <message>
        <source>state weight, decay only</source>
        <translation>状态权重，仅衰减</translation>
    </message>
    <message>
        <source>share of a value</source>
        <translation>占一个值的份额</translation>
    </message>
    <message>
        <source>decay alone</source>
        <translation>仅经衰减</translation>
    </message>
    <message>
        <source>decay and overwriting</source>
        <translation>衰减与改写</translation>
    </message>
    <message>
        <source>read</source>
        <translation>读取</translation>
    </message>
    <message>
        <source>weight</source>
        <translation>权重</translation>
    </message>
    <message>
        <source>cosine</source>
        <translation>余弦</translation>
    </message>
    <message>
        <source>length</source>
        <translation>长度</translation>
    </message>
    <message>
        <source>share of what was written</source>
        <translation>写入量的份额</translation>
    </message>
    <message>
        <source>would hear</source>
        <translation>会听到</translation>
    </message>
    <message>
        <source>share of the change</source>
        <translation>变化的份额</translation>
    </message>
    <message>
        <source>heard</source>
        <translation>已听到</translation>
    </message>
    <message>
        <source>layer</source>
        <translation>层</translation>
    </message>
    <message>
        <source>head</source>
        <translation>头</translation>
    </message>
    <message>
        <source>channel</source>
        <translation>通道</translation>
    </message>
    <message>
        <source>nats a token</source>
        <translation>nat/词元</translation>
    </message>
    <message>
        <source>share left a token</source>
        <translation>每词元留存份额</translation>
    </message>
    <message>
        <source>half-life</source>
        <translation>半衰期</translation>
    </message>
    <message>
        <source>half-life over what was fed</source>
        <translation>已输入部分的半衰期</translation>
    </message>
    <message>
        <source>expert</source>
        <translation>专家</translation>
    </message>
    <message>
        <source>picks</source>
        <translation>选中次数</translation>
    </message>
    <message>
        <source>load</source>
        <translation>负载</translation>
    </message>
    <message>
        <source>times an even share</source>
        <translation>均等份额的倍数</translation>
    </message>
    <message>
        <source>weight for the selected token</source>
        <translation>所选词元的权重</translation>
    </message>
    <message>
        <source>layer: busiest / mean</source>
        <translation>层：最忙 / 均值</translation>
    </message>
    <message>
        <source>ratio</source>
        <translation>比值</translation>
    </message>
    <message>
        <source>layer: standard deviation / mean</source>
        <translation>层：标准差 / 均值</translation>
    </message>
    <message>
        <source>rank</source>
        <translation>名次</translation>
    </message>
    <message>
        <source>id</source>
        <translation>id</translation>
    </message>
    <message>
        <source>chosen</source>
        <translation>已选</translation>
    </message>
    <message>
        <source>nats</source>
        <translation>nat</translation>
    </message>
    <message>
        <source>what</source>
        <translation>项目</translation>
    </message>
    <message>
        <source>state</source>
        <translation>状态</translation>
    </message>
    <message>
        <source>bytes</source>
        <translation>字节</translation>
    </message>
    <message>
        <source>convolution tails</source>
        <translation>卷积缓存</translation>
    </message>
    <message>
        <source>this model</source>
        <translation>本模型</translation>
    </message>
    <message>
        <source>same-shapes twin</source>
        <translation>同形状对照模型</translation>
    </message>
    <message>
        <source>bytes, computed</source>
        <translation>字节，计算值</translation>
    </message>
    <message>
        <source>mixer</source>
        <translation>混合层</translation>
    </message>
    <message>
        <source>tails</source>
        <translation>卷积</translation>
    </message>
    <message>
        <source>cache</source>
        <translation>缓存</translation>
    </message>
    <message>
        <source>as MLA</source>
        <translation>若为 MLA</translation>
    </message>
    <message>
        <source>as attention</source>
        <translation>作为注意力</translation>
    </message>
    <message>
        <source>multi-head</source>
        <translation>多头</translation>
    </message>
    <message>
        <source>context</source>
        <translation>上下文</translation>
    </message>
    <message>
        <source>ns a token, median</source>
        <translation>每词元纳秒，中位数</translation>
    </message>
    <message>
        <source>ns a token, fastest</source>
        <translation>每词元纳秒，最快</translation>
    </message>
    <message>
        <source>ns a token, slowest</source>
        <translation>每词元纳秒，最慢</translation>
    </message>
    <message>
        <source>tokens/s</source>
        <translation>词元/秒</translation>
    </message>
    <message>
        <source>twin's time / this model's</source>
        <translation>对照模型用时 / 本模型用时</translation>
    </message>
    <message>
        <source>value</source>
        <translation>值</translation>
    </message>
    <message>
        <source>key</source>
        <translation>键</translation>
    </message>
    <message>
        <source>no unit</source>
        <translation>无单位</translation>
    </message>
    <message>
        <source>time</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>ISO 8601, local</source>
        <translation>ISO 8601，本地</translation>
    </message>
    <message>
        <source>level</source>
        <translation>级别</translation>
    </message>
    <message>
        <source>answers right</source>
        <translation>答对</translation>
    </message>
    <message>
        <source>loss</source>
        <translation>损失</translation>
    </message>
    <message>
        <source>90 % from step</source>
        <translation>90 % 起始步</translation>
    </message>
    <message>
        <source>rate</source>
        <translation>学习率</translation>
    </message>
    <message>
        <source>weights</source>
        <translation>权重数</translation>
    </message>
    <message>
        <source>median, tokens</source>
        <translation>中位数，词元</translation>
    </message>
    <message>
        <source>message</source>
        <translation>消息</translation>
    </message>
    <message>
        <source>%1 of %2 holds %3.</source>
        <translation>%1（%2）占用 %3。</translation>
    </message>
    <message>
        <source>%1 of %2 holds %3; %4 would hold %5, %6 times as much.</source>
        <translation>%1（%2）占用 %3；%4会占用 %5，是它的 %6 倍。</translation>
    </message>
    <message>
        <source>%1 of %2 holds %3; %4 would hold %5, the same.</source>
        <translation>%1（%2）占用 %3；%4会占用 %5，一样多。</translation>
    </message>
    <message>
        <source>%1 of %2 holds %3; %4 would hold %5, which is less.</source>
        <translation>%1（%2）占用 %3；%4会占用 %5，比它少。</translation>
    </message>
    <message>
        <source>%1 of %2 holds %3; %4 would hold %5, which is less: from %6 on it holds more.</source>
        <translation>%1（%2）占用 %3；%4会占用 %5，比它少：从 %6 起才会更多。</translation>
    </message>
    <message>
        <source>trained twin</source>
        <translation>训练过的对照模型</translation>
    </message>
    <message>
        <source>same-shapes twin, synthetic mixers</source>
        <translation>同形状对照模型（合成混合层）</translation>
    </message>
    <message>
        <source>recorded twin</source>
        <translation>录制的对照模型</translation>
    </message>
    <message>
        <source>Always the most probable token: the same conversation gets the same answer.</source>
        <translation>总是取概率最大的词元：同样的对话得到同样的回答。</translation>
    </message>
    <message>
        <source>Each token is drawn by chance, probable ones more often than the model alone would.</source>
        <translation>每个词元随机抽取，概率大的比模型自身给出的更常被抽到。</translation>
    </message>
    <message>
        <source>Each token is drawn by chance, as often as the model finds it probable.</source>
        <translation>每个词元随机抽取，与模型自身给出的概率一致。</translation>
    </message>
    <message>
        <source>Each token is drawn by chance, and improbable ones get more of it than the model gives them.</source>
        <translation>每个词元随机抽取，概率小的比模型自身给出的更常被抽到。</translation>
    </message>
    <message>
        <source>the %1 most probable</source>
        <translation>概率最大的 %1 个</translation>
    </message>
    <message>
        <source>the most probable that together make %1</source>
        <translation>概率最大、合计达到 %1 的</translation>
    </message>
    <message>
        <source>those at least %1 as probable as the best</source>
        <translation>概率至少为最大者 %1 的</translation>
    </message>
    <message>
        <source>Only %1 take part.</source>
        <translation>只有%1参与抽取。</translation>
    </message>
    <message>
        <source>, of them </source>
        <translation>，再从中取</translation>
    </message>
    <message>
        <source>Tokens of the last 64 are held back.</source>
        <translation>最近 64 个词元会受到抑制。</translation>
    </message>
    <message>
        <source>What lies on top of which of several stacks, pushed and popped in any order</source>
        <translation>若干个栈任意压入弹出，每个栈顶是什么</translation>
    </message>
    <message>
        <source>Keys and values</source>
        <translation>键和值</translation>
    </message>
    <message>
        <source>Pairs of key and value, then the value of each key is asked (MQAR)</source>
        <translation>先给若干键值对，再问每个键的值（MQAR）</translation>
    </message>
    <message>
        <source>Pairs</source>
        <translation>对数</translation>
    </message>
    <message>
        <source>Palindrome</source>
        <translation>回文</translation>
    </message>
    <message>
        <source>What was read, backwards</source>
        <translation>倒着说出读到的</translation>
    </message>
    <message>
        <source>What was read, as it was</source>
        <translation>原样说出读到的</translation>
    </message>
    <message>
        <source>KDA</source>
        <translation>KDA</translation>
    </message>
    <message>
        <source>Gated DeltaNet</source>
        <translation>Gated DeltaNet</translation>
    </message>
    <message>
        <source>DeltaNet: no decay</source>
        <translation>DeltaNet：无衰减</translation>
    </message>
    <message>
        <source>GLA: plain writing</source>
        <translation>GLA：直接写入</translation>
    </message>
    <message>
        <source>Decay per head, plain writing</source>
        <translation>逐头衰减，直接写入</translation>
    </message>
    <message>
        <source>Softmax attention</source>
        <translation>Softmax 注意力</translation>
    </message>
    <message>
        <source>Softmax attention without positions</source>
        <translation>无位置的 Softmax 注意力</translation>
    </message>
    <message>
        <source>KDA, swish as output gate</source>
        <translation>KDA，输出门用 swish</translation>
    </message>
    <message>
        <source>KDA, no output gate</source>
        <translation>KDA，无输出门</translation>
    </message>
    <message>
        <source>KDA, no short convolution</source>
        <translation>KDA，无短卷积</translation>
    </message>
    <message>
        <source>KDA and attention 1:1</source>
        <translation>KDA 与注意力 1:1</translation>
    </message>
    <message>
        <source>KDA and attention with positions 1:1</source>
        <translation>KDA 与带位置的注意力 1:1</translation>
    </message>
    <message>
        <source>An answer begins: “%1”</source>
        <translation>回答开始：“%1”</translation>
    </message>
    <message>
        <source>A message begins: “%1”</source>
        <translation>消息开始：“%1”</translation>
    </message>
    <message>
        <source>A snapshot of the memory behind token %1: going back here costs no reading</source>
        <translation>词元 %1 之后的记忆快照：回到这里不需要重新读取</translation>
    </message>
    <message>
        <source>State (KDA)</source>
        <translation>状态（KDA）</translation>
    </message>
    <message>
        <source>Cache (MLA)</source>
        <translation>缓存（MLA）</translation>
    </message>
    <message>
        <source>State</source>
        <comment>before its boxes</comment>
        <translation>状态</translation>
    </message>
    <message>
        <source>Cache</source>
        <comment>before its boxes</comment>
        <translation>缓存</translation>
    </message>
    <message>
        <source>%1, weight of each token</source>
        <translation>%1，每个词元的权重</translation>
    </message>
    <message>
        <source>%1, the word it reads most</source>
        <translation>%1，读取最多的词</translation>
    </message>
    <message>
        <source>Bring this word into sight</source>
        <translation>让这个词进入视野</translation>
    </message>
    <message>
        <source>Below the strips</source>
        <translation>条形图下方</translation>
    </message>
    <message>
        <source>The words, coloured by the weights of one memory or of each; or all heads of both layers</source>
        <translation>文字，按一种或两种记忆的权重着色；或两层的所有头</translation>
    </message>
    <message>
        <source>words by both</source>
        <translation>按两者</translation>
    </message>
    <message>
        <source>words by cache</source>
        <translation>按缓存</translation>
    </message>
    <message>
        <source>words by state</source>
        <translation>按状态</translation>
    </message>
    <message>
        <source>all heads</source>
        <translation>所有头</translation>
    </message>
    <message>
        <source>The words of the context, coloured by the state</source>
        <translation>上下文的文字，按状态着色</translation>
    </message>
    <message>
        <source>The words of the context, coloured by the cache</source>
        <translation>上下文的文字，按缓存着色</translation>
    </message>
    <message>
        <source>All heads by token</source>
        <translation>所有头（按词元）</translation>
    </message>
    <message>
        <source>%1 · token %2, %3: %4</source>
        <translation>%1 · 词元 %2，%3：%4</translation>
    </message>
    <message>
        <source>n/a (not looked at)</source>
        <translation>无（没有回看）</translation>
    </message>
    <message>
        <source>Feeding the past again: %1 of %2.</source>
        <translation>正在重新输入过去的内容：%1 / %2。</translation>
    </message>
    <message>
        <source>The next picture comes when the model rests.</source>
        <translation>下一张图等模型空闲时给出。</translation>
    </message>
    <message>
        <source>cache: share of what is read</source>
        <translation>缓存：占读取内容的份额</translation>
    </message>
    <message>
        <source>state: adds</source>
        <translation>状态：增加</translation>
    </message>
    <message>
        <source>takes away</source>
        <translation>减去</translation>
    </message>
    <message>
        <source>had nothing overwritten it</source>
        <translation>若未被覆写</translation>
    </message>
    <message>
        <source>not looked at</source>
        <translation>没有回看</translation>
    </message>
    <message>
        <source>the token that reads</source>
        <translation>读取的词元</translation>
    </message>
    <message>
        <source>scale: square root</source>
        <translation>刻度：平方根</translation>
    </message>
    <message>
        <source>%1: layer %2, head %3</source>
        <translation>%1：第 %2 层第 %3 头</translation>
    </message>
    <message>
        <source>what %1 reads</source>
        <translation>%1读取了什么</translation>
    </message>
    <message>
        <source>The picture is on its way.</source>
        <translation>图正在生成。</translation>
    </message>
    <message>
        <source>A recording has the layers that were looked at when it was made</source>
        <translation>录制中只有录制时看过的那些层</translation>
    </message>
    <message>
        <source>Load a model and ask it something: this lens shows which of the past tokens a head reads.</source>
        <translation>请加载模型并问它点什么：这个视图显示一个头读取了哪些过去的词元。</translation>
    </message>
    <message>
        <source>This recording holds no picture of attention: it takes the model to make one. Leave the replay to look at any head.</source>
        <translation>这个录制中没有注意力图：需要模型才能生成。退出回放后可以看任意的头。</translation>
    </message>
    <message>
        <source>Ask something: this lens shows which of the past tokens a head reads.</source>
        <translation>问点什么：这个视图显示一个头读取了哪些过去的词元。</translation>
    </message>
    <message>
        <source>Feeding the past again to look at it: %1 of %2 tokens.</source>
        <translation>正在重新输入过去的内容以便回看：%1 / %2 个词元。</translation>
    </message>
    <message>
        <source>Stopped. Choose a token or a head to look at.</source>
        <translation>已停止。请选择要看的词元或头。</translation>
    </message>
    <message>
        <source>%1: not in this recording</source>
        <translation>%1：此录制中没有</translation>
    </message>
    <message>
        <source>Show %1</source>
        <translation>显示 %1</translation>
    </message>
    <message>
        <source>%1: most from %3 (%4), half of all from the last %2, before token %5: %6 of the output</source>
        <translation>%1：取自%3最多（%4），最近 %2占一半，词元 %5 之前占输出的 %6</translation>
    </message>
    <message>
        <source>%1: most from %3 (%4), half of all from the last %2</source>
        <translation>%1：取自%3最多（%4），最近 %2占一半</translation>
    </message>
    <message>
        <source>o = Σ w v + what came before: the delta rule unrolled.&lt;br&gt;Bars: w, what this token still adds. Outlines: what it would add if no later token had overwritten anything.&lt;br&gt;Negative: it is taken away. Scale: root, to K&lt;sup&gt;−½&lt;/sup&gt;, the most there can be. Read from a replay of these tokens.</source>
        <translation>o = Σ w v + 更早的部分：展开的 delta 规则。&lt;br&gt;条：w，这个词元还增加多少。轮廓：如果没有后来的词元覆写，会增加多少。&lt;br&gt;负值：减去。刻度：平方根，最大为可能的上限 K&lt;sup&gt;−½&lt;/sup&gt;。由重放这些词元得到。</translation>
    </message>
    <message>
        <source>Softmax weights over the cache; they sum to 1. Scale: root, to 1. Read from a replay of this token.</source>
        <translation>缓存上的 softmax 权重，合计为 1。刻度：平方根，最大为 1。由重放这个词元得到。</translation>
    </message>
    <message>
        <source>−most</source>
        <translation>−最大</translation>
    </message>
    <message>
        <source>most</source>
        <translation>最大</translation>
    </message>
    <message>
        <source>Token %1, %2</source>
        <translation>词元 %1，%2</translation>
    </message>
    <message>
        <source>(%1 had nothing overwritten it)</source>
        <translation>（若未被覆写为 %1）</translation>
    </message>
    <message>
        <source>state: before the window</source>
        <translation>状态：在窗口之前</translation>
    </message>
    <message>
        <source>Point at a token for its weights; click to look from there.</source>
        <translation>指向一个词元可看它的权重；点击则从那里回看。</translation>
    </message>
    <message>
        <source>What was said.</source>
        <translation>实际说出的。</translation>
    </message>
    <message>
        <source>Click or press Enter: the conversation branches here and goes on with “%1”. What was said stays, as the other branch.</source>
        <translation>点击或按 Enter：对话在这里分支，以“%1”继续。说过的内容作为另一个分支保留。</translation>
    </message>
    <message>
        <source>%1, %2, chosen</source>
        <translation>%1，%2，已选</translation>
    </message>
    <message>
        <source>%1  ← chosen</source>
        <translation>%1  ← 已选</translation>
    </message>
    <message>
        <source>Layer × channel, longest of heads</source>
        <translation>层 × 通道，各头中最长</translation>
    </message>
    <message>
        <source>Layer × channel, one head</source>
        <translation>层 × 通道，单个头</translation>
    </message>
    <message>
        <source>Head × channel</source>
        <translation>头 × 通道</translation>
    </message>
    <message>
        <source>Last 512 tokens, one head</source>
        <translation>最近 512 个词元，单个头</translation>
    </message>
    <message>
        <source>Decay, view</source>
        <translation>衰减，视图</translation>
    </message>
    <message>
        <source>Rows × columns of the map. Longest of heads: of a layer's heads the one that keeps this channel longest.</source>
        <translation>图的行 × 列。各头中最长：取一层各头中把该通道保留得最久的那个头。</translation>
    </message>
    <message>
        <source>Half-life of the token</source>
        <translation>该词元的半衰期</translation>
    </message>
    <message>
        <source>log decay g</source>
        <translation>对数衰减 g</translation>
    </message>
    <message>
        <source>Half-life over what was fed</source>
        <translation>已输入部分的半衰期</translation>
    </message>
    <message>
        <source>Decay, value</source>
        <translation>衰减，数值</translation>
    </message>
    <message>
        <source>Half-life of the token: ln 2 / −g, in tokens, as if this token's gate came again and again. α = e&lt;sup&gt;g&lt;/sup&gt;: what is left of a channel after one token. g: log decay, in nats a token. Over what was fed: −n / log&lt;sub&gt;2&lt;/sub&gt; ∏ α of all n tokens until this one. All scales are fixed. Source: the gates the engine used.</source>
        <translation>该词元的半衰期：ln 2 / −g，以词元计，就好像该词元的门控一再出现。α = e&lt;sup&gt;g&lt;/sup&gt;：一个词元之后通道还剩多少。g：对数衰减，每词元的 nat。已输入部分：到这个词元为止全部 n 个词元的 −n / log&lt;sub&gt;2&lt;/sub&gt; ∏ α。所有刻度固定。来源：引擎实际使用的门控。</translation>
    </message>
    <message>
        <source>Decay map</source>
        <translation>衰减图</translation>
    </message>
    <message>
        <source>Layer × head</source>
        <translation>层 × 头</translation>
    </message>
    <message>
        <source>Last 512 tokens, one layer</source>
        <translation>最近 512 个词元，一个层</translation>
    </message>
    <message>
        <source>Gate: %1</source>
        <translation>门控：%1</translation>
    </message>
    <message>
        <source>From config.json: %1</source>
        <translation>来自 config.json：%1</translation>
    </message>
    <message>
        <source>Load a model, and this map shows how fast each channel of its memory forgets.</source>
        <translation>请加载模型，这张图会显示它的记忆的每个通道忘得有多快。</translation>
    </message>
    <message>
        <source>This model has no KDA layers: nothing in it decays.</source>
        <translation>这个模型没有 KDA 层：其中没有什么会衰减。</translation>
    </message>
    <message>
        <source>Play the recording: each token brings a new set of gates.</source>
        <translation>请播放录制：每个词元都带来一组新的门控。</translation>
    </message>
    <message>
        <source>Send a message: each token brings a new set of gates.</source>
        <translation>请发送消息：每个词元都带来一组新的门控。</translation>
    </message>
    <message>
        <source>This recording holds no gates of %1.</source>
        <translation>此录制中没有%1的门控。</translation>
    </message>
    <message>
        <source>The gates of %1</source>
        <translation>%1的门控</translation>
    </message>
    <message>
        <source>your first message</source>
        <translation>你的第一条消息</translation>
    </message>
    <message>
        <source>Over them the median half-life of %1 is %2 tokens.</source>
        <translation>在这些词元上，%1的半衰期中位数为 %2 个词元。</translation>
    </message>
    <message>
        <source>α: forgets … keeps</source>
        <translation>α：遗忘 … 保留</translation>
    </message>
    <message>
        <source>forgets fast … keeps long</source>
        <translation>忘得快 … 记得久</translation>
    </message>
    <message>
        <source>not read</source>
        <translation>未读取</translation>
    </message>
    <message>
        <source>chosen head</source>
        <translation>所选的头</translation>
    </message>
    <message>
        <source>chosen channel</source>
        <translation>所选通道</translation>
    </message>
    <message>
        <source>head × token, layer %1</source>
        <translation>头 × 词元，第 %1 层</translation>
    </message>
    <message>
        <source>layer × head</source>
        <translation>层 × 头</translation>
    </message>
    <message>
        <source>layer × channel, longest of heads</source>
        <translation>层 × 通道，各头中最长</translation>
    </message>
    <message>
        <source>layer × channel of head %1</source>
        <translation>层 × 通道，第 %1 头</translation>
    </message>
    <message>
        <source>head × channel of every layer</source>
        <translation>各层的头 × 通道</translation>
    </message>
    <message>
        <source>channel × token, %1</source>
        <translation>通道 × 词元，%1</translation>
    </message>
    <message>
        <source>half-life over the %1 chosen</source>
        <translation>所选 %1 上的半衰期</translation>
    </message>
    <message>
        <source>%1, mean of the %2 chosen</source>
        <translation>%1，所选 %2 的平均</translation>
    </message>
    <message>
        <source>%1, channel %2</source>
        <translation>%1，通道 %2</translation>
    </message>
    <message>
        <source>longest</source>
        <translation>最长</translation>
    </message>
    <message>
        <source>over the %1 fed: half-life %2 tokens (%3)</source>
        <translation>已输入的 %1：半衰期 %2 个词元（%3）</translation>
    </message>
    <message>
        <source>layer %1 · head %2</source>
        <translation>第 %1 层 · 第 %2 头</translation>
    </message>
    <message>
        <source>layer %1 · head %2 · channel %3</source>
        <translation>第 %1 层 · 第 %2 头 · 通道 %3</translation>
    </message>
    <message>
        <source>%1 · %2
half-life %3 tokens %4 α %5  g %6</source>
        <translation>%1 · %2
半衰期 %3 个词元 %4 α %5  g %6</translation>
    </message>
    <message>
        <source>mean of the %1 chosen</source>
        <translation>所选 %1的平均</translation>
    </message>
    <message>
        <source>over the %1 chosen</source>
        <translation>在所选的 %1上</translation>
    </message>
    <message>
        <source>over %1</source>
        <translation>在 %1上</translation>
    </message>
    <message>
        <source>at %1</source>
        <translation>在%1处</translation>
    </message>
    <message>
        <source>%1 %2, median %3 tokens; line: layer %4, head %5</source>
        <translation>%1，%2，中位数 %3 个词元；线：第 %4 层第 %5 头</translation>
    </message>
    <message>
        <source>of layer %1, head %2:</source>
        <translation>第 %1 层第 %2 头：</translation>
    </message>
    <message>
        <source>layer · head</source>
        <translation>层 · 头</translation>
    </message>
    <message>
        <source>layer, each of %1 heads</source>
        <translation>层，每层 %1 个头</translation>
    </message>
    <message>
        <source>channel of head %1</source>
        <translation>第 %1 头的通道</translation>
    </message>
    <message>
        <source>channel, of the head of %1 that keeps it longest</source>
        <translation>通道，取 %1 个头中保留最久者</translation>
    </message>
    <message>
        <source>token, oldest left: layer %1</source>
        <translation>词元，最旧的在左：第 %1 层</translation>
    </message>
    <message>
        <source>token, oldest left: layer %1, head %2</source>
        <translation>词元，最旧在左：第 %1 层第 %2 头</translation>
    </message>
    <message>
        <source>load over the last</source>
        <translation>统计最近</translation>
    </message>
    <message>
        <source>Tokens that are counted</source>
        <translation>统计的词元数</translation>
    </message>
    <message>
        <source>all kept (at most %1)</source>
        <translation>全部保留的（最多 %1）</translation>
    </message>
    <message>
        <source>Load by layer and expert, in units of an even share</source>
        <translation>按层和专家的负载，以均等份额为单位</translation>
    </message>
    <message>
        <source>× even share</source>
        <translation>× 均等份额</translation>
    </message>
    <message>
        <source>1 = even</source>
        <translation>1 = 均等</translation>
    </message>
    <message>
        <source>4 or more</source>
        <translation>4 或更多</translation>
    </message>
    <message>
        <source>layer %1, expert %2: %3 an even share, %4 by %5</source>
        <translation>第 %1 层，专家 %2：均等份额的 %3，%5中有 %4</translation>
    </message>
    <message>
        <source>Imbalance by layer</source>
        <translation>各层的不均衡度</translation>
    </message>
    <message>
        <source>picked never … four times an even share</source>
        <translation>从未选中 … 均等份额的四倍</translation>
    </message>
    <message>
        <source>picks of the chosen token</source>
        <translation>所选词元选中的专家</translation>
    </message>
    <message>
        <source>chosen expert</source>
        <translation>所选专家</translation>
    </message>
    <message>
        <source>load of each expert over the %1 chosen</source>
        <translation>所选 %1 中每个专家的负载</translation>
    </message>
    <message>
        <source>load of each expert over the last %1</source>
        <translation>最近 %1中每个专家的负载</translation>
    </message>
    <message>
        <source>picks of %1</source>
        <translation>%1选中的专家</translation>
    </message>
    <message>
        <source>Load a model to see which experts its tokens meet.</source>
        <translation>请加载模型，看它的词元遇到哪些专家。</translation>
    </message>
    <message>
        <source>This model has no experts: every feed-forward layer is dense.</source>
        <translation>这个模型没有专家：每个前馈层都是稠密的。</translation>
    </message>
    <message>
        <source>Send a message: every token picks its experts.</source>
        <translation>请发送消息：每个词元都会选择专家。</translation>
    </message>
    <message>
        <source>The picks</source>
        <translation>所选专家的读数</translation>
    </message>
    <message>
        <source>This recording holds no picks.</source>
        <translation>此录制中没有所选专家的读数。</translation>
    </message>
    <message>
        <source>Token %1: its picks were not read.</source>
        <translation>词元 %1：选中的专家没有读取。</translation>
    </message>
    <message>
        <source>Dots: the picks of token %1 “%2”</source>
        <translation>圆点：词元 %1 “%2”选中的专家</translation>
    </message>
    <message>
        <source>Layer %1: %2</source>
        <translation>第 %1 层：%2</translation>
    </message>
    <message>
        <source>imbalance</source>
        <translation>不均衡度</translation>
    </message>
    <message>
        <source>busiest / mean (even: 1)</source>
        <translation>最忙 / 均值（均衡：1）</translation>
    </message>
    <message>
        <source>deviation / mean (even: 0)</source>
        <translation>标准差 / 均值（均衡：0）</translation>
    </message>
    <message>
        <source>Life</source>
        <translation>一生</translation>
    </message>
    <message>
        <source>Life, the cache head that reads it most</source>
        <translation>一生，最多读取它的缓存头</translation>
    </message>
    <message>
        <source>Life, the state head that reads it most</source>
        <translation>一生，最多读取它的状态头</translation>
    </message>
    <message>
        <source>All heads, ranked by how much of what they read is this word's</source>
        <translation>所有头，按其所读中这个词的份额排序</translation>
    </message>
    <message>
        <source>at token</source>
        <translation>在词元</translation>
    </message>
    <message>
        <source>Life, the token that reads</source>
        <translation>事实的一生：读取的词元</translation>
    </message>
    <message>
        <source>Left by decay alone</source>
        <translation>仅经衰减剩余</translation>
    </message>
    <message>
        <source>Left by decay and overwriting</source>
        <translation>经衰减与改写剩余</translation>
    </message>
    <message>
        <source>Weight of its row in the caches</source>
        <translation>它的行在缓存中的权重</translation>
    </message>
    <message>
        <source>Probability in the answers</source>
        <translation>在回答中的概率</translation>
    </message>
    <message>
        <source>It is followed over %1, no further.</source>
        <translation>只跟踪%1，不再继续。</translation>
    </message>
    <message>
        <source>It is followed further when the model rests.</source>
        <translation>等模型空闲时会继续跟踪它。</translation>
    </message>
    <message>
        <source>of a state</source>
        <translation>状态的</translation>
    </message>
    <message>
        <source>of a cache</source>
        <translation>缓存的</translation>
    </message>
    <message>
        <source>below 0: it takes away</source>
        <translation>低于 0：是减去</translation>
    </message>
    <message>
        <source>one line a head: layer.head</source>
        <translation>每个头一条线：层.头</translation>
    </message>
    <message>
        <source>who reads a token</source>
        <translation>谁在读一个词元</translation>
    </message>
    <message>
        <source>what is left of a token</source>
        <translation>一个词元还剩多少</translation>
    </message>
    <message>
        <source>Load a model and tell it something: this lens shows what becomes of a word in each of its memories.</source>
        <translation>加载一个模型并告诉它点什么：这个视图显示一个词在它的每个记忆中的经历。</translation>
    </message>
    <message>
        <source>This recording does not hold who reads a token: it takes the model to see it. Leave the replay to look at any token.</source>
        <translation>这份录制中没有“谁在读一个词元”：要看它需要模型。退出回放即可查看任意词元。</translation>
    </message>
    <message>
        <source>This recording holds no token's life: it takes the model to follow one. Leave the replay to look at any token.</source>
        <translation>这个录制中没有词元的一生：需要模型才能跟踪。退出回放后可以看任意词元。</translation>
    </message>
    <message>
        <source>Pin a word (a click on it in the chat or the timeline) to see what becomes of it.</source>
        <translation>固定一个词（在对话或时间线中点击它），看它的经历。</translation>
    </message>
    <message>
        <source>Ask for it: no answer was made since.</source>
        <translation>问问它：此后还没有回答。</translation>
    </message>
    <message>
        <source>Read most by cache %1.%2</source>
        <translation>最多读取：缓存 %1.%2</translation>
    </message>
    <message>
        <source>Read most by state %1.%2</source>
        <translation>最多读取：状态 %1.%2</translation>
    </message>
    <message>
        <source>%1, %2 later: %3</source>
        <translation>%1，%2之后：%3</translation>
    </message>
    <message>
        <source>state %1.%2: left %3, by decay alone %4, read with %5</source>
        <translation>状态 %1.%2：剩余 %3，仅经衰减 %4，读取权重 %5</translation>
    </message>
    <message>
        <source>cache %1.%2: %3</source>
        <translation>缓存 %1.%2：%3</translation>
    </message>
    <message>
        <source>Least level that is shown</source>
        <translation>显示的最低级别</translation>
    </message>
    <message>
        <source>everything</source>
        <translation>全部</translation>
    </message>
    <message>
        <source>info and above</source>
        <translation>信息及以上</translation>
    </message>
    <message>
        <source>warnings and errors</source>
        <translation>警告和错误</translation>
    </message>
    <message>
        <source>errors</source>
        <translation>错误</translation>
    </message>
    <message>
        <source>Log: %1</source>
        <translation>日志：%1</translation>
    </message>
    <message>
        <source>Copy what is selected, or all that is shown</source>
        <translation>复制选中的内容，或显示的全部内容</translation>
    </message>
    <message>
        <source>Write all that is shown to a text file</source>
        <translation>把显示的全部内容写入文本文件</translation>
    </message>
    <message>
        <source>Nothing has happened yet.</source>
        <translation>还没有发生任何事。</translation>
    </message>
    <message>
        <source>what happened</source>
        <translation>发生了什么</translation>
    </message>
    <message>
        <source>The log is text and no picture: Save… writes it, and Export as CSV has it as rows.</source>
        <translation>日志是文字，不是图：“保存…”可写出它，“导出为 CSV”按行列出它。</translation>
    </message>
    <message>
        <source>Save the log</source>
        <translation>保存日志</translation>
    </message>
    <message>
        <source>Candidates of the selected token: Enter branches with one</source>
        <translation>所选词元的候选：按 Enter 以其中一个分支</translation>
    </message>
    <message>
        <source>Entropy of the last tokens</source>
        <translation>最近词元的熵</translation>
    </message>
    <message>
        <source>Load a model to see what it could have said.</source>
        <translation>请加载模型，看它还可能说什么。</translation>
    </message>
    <message>
        <source>Send a message: for each token of the answer this shows what else was likely.</source>
        <translation>请发送消息：这里会显示回答的每个词元处还有哪些可能。</translation>
    </message>
    <message>
        <source>A server tells a few candidates of a token, and of those nobody knows the entropy.</source>
        <translation>服务器只给出一个词元的少数候选，由此无法得知熵。</translation>
    </message>
    <message>
        <source>The entropies</source>
        <translation>熵</translation>
    </message>
    <message>
        <source>The entropy of each token comes with the next message.</source>
        <translation>每个词元的熵随下一条消息给出。</translation>
    </message>
    <message>
        <source>No entropy is known of them.</source>
        <translation>不知道它们的熵。</translation>
    </message>
    <message>
        <source>Entropy: mean %1 nats over %2, the largest %3 at token %4.</source>
        <translation>熵：%2的平均为 %1 nat，最大 %3，在词元 %4 处。</translation>
    </message>
    <message>
        <source>what was said</source>
        <translation>实际说出的</translation>
    </message>
    <message>
        <source>what could have been said</source>
        <translation>还可能说的</translation>
    </message>
    <message>
        <source>token looked at</source>
        <translation>正在看的词元</translation>
    </message>
    <message>
        <source>what could have been said instead of %1</source>
        <translation>%1处还可能说什么</translation>
    </message>
    <message>
        <source>There are no candidates yet.</source>
        <translation>还没有候选。</translation>
    </message>
    <message>
        <source>Token %1 “%2”</source>
        <translation>词元 %1 “%2”</translation>
    </message>
    <message>
        <source>%1 was fed, not chosen: it has no candidates.</source>
        <translation>%1 是输入的，不是选出的：没有候选。</translation>
    </message>
    <message>
        <source>%1: the server tells no log probabilities of it.</source>
        <translation>%1：服务器没有给出它的对数概率。</translation>
    </message>
    <message>
        <source>%1: %2</source>
        <translation>%1：%2</translation>
    </message>
    <message>
        <source>Its candidates</source>
        <translation>它的候选</translation>
    </message>
    <message>
        <source>This recording holds no candidates of it.</source>
        <translation>此录制中没有它的候选。</translation>
    </message>
    <message>
        <source>%1 · rank %2 · probability %3</source>
        <translation>%1 · 名次 %2 · 概率 %3</translation>
    </message>
    <message>
        <source>%1 · entropy %2 nats</source>
        <translation>%1 · 熵 %2 nat</translation>
    </message>
    <message>
        <source>id %1</source>
        <translation>id %1</translation>
    </message>
    <message>
        <source>(nothing)</source>
        <translation>（空）</translation>
    </message>
    <message>
        <source>An answer is being played again.</source>
        <translation>正在重新播放一条回答。</translation>
    </message>
    <message>
        <source>Go back to now to try another token.</source>
        <translation>回到现在后可以试另一个词元。</translation>
    </message>
    <message>
        <source>A recording cannot branch.</source>
        <translation>录制不能分支。</translation>
    </message>
    <message>
        <source>Load a model and send the message again to try another token.</source>
        <translation>请加载模型并重新发送消息，再试别的词元。</translation>
    </message>
    <message>
        <source>%1 with a state: %2, whatever the context.</source>
        <translation>%1有状态：共 %2，与上下文长度无关。</translation>
    </message>
    <message>
        <source>%1 with a cache: %2 more with every token.</source>
        <translation>%1有缓存：每个词元再增加 %2。</translation>
    </message>
    <message>
        <source>A token reads %1 of weights.</source>
        <translation>一个词元读取 %1 的权重。</translation>
    </message>
    <message>
        <source>mixer with a state</source>
        <translation>有状态的混合层</translation>
    </message>
    <message>
        <source>mixer with a cache</source>
        <translation>有缓存的混合层</translation>
    </message>
    <message>
        <source>experts</source>
        <translation>专家</translation>
    </message>
    <message>
        <source>the rest</source>
        <translation>其余</translation>
    </message>
    <message>
        <source>chosen layer</source>
        <translation>所选的层</translation>
    </message>
    <message>
        <source>layers from bottom to top</source>
        <translation>各层自下而上</translation>
    </message>
    <message>
        <source>matrices counted as %1</source>
        <translation>矩阵按 %1 计</translation>
    </message>
    <message>
        <source>Load a model, and this shows its layers.</source>
        <translation>加载一个模型，这里就会显示它的各层。</translation>
    </message>
    <message>
        <source>Embedding</source>
        <translation>嵌入</translation>
    </message>
    <message>
        <source>Embedding: a token reads its own row, %1.</source>
        <translation>嵌入：一个词元读自己的那一行，%1。</translation>
    </message>
    <message>
        <source>%1 of %2 experts</source>
        <translation>%2 个专家选 %1</translation>
    </message>
    <message>
        <source>dense</source>
        <translation>稠密</translation>
    </message>
    <message>
        <source>%1 state</source>
        <translation>%1 状态</translation>
    </message>
    <message>
        <source>%1 a token</source>
        <translation>每词元 %1</translation>
    </message>
    <message>
        <source>Layer %1: %2, then %3. A token reads %4 of weights for the mixer and %5 for the feed-forward part. It remembers: %6.</source>
        <translation>第 %1 层：%2，然后 %3。一个词元为混合层读 %4 权重，为前馈部分读 %5。它记住：%6。</translation>
    </message>
    <message>
        <source>Its experts work in a latent of %1 channels.</source>
        <translation>它的专家在 %1 个通道的潜在空间中工作。</translation>
    </message>
    <message numerus="yes">
        <source>The mixer reads a mix of %Ln residual stream(s).</source>
        <translation>
            <numerusform>混合层读取 %Ln 条残差流的混合。</numerusform>
        </translation>
    </message>
    <message>
        <source>Output</source>
        <translation>输出</translation>
    </message>
    <message>
        <source>Output head: a token reads %1.</source>
        <translation>输出头：一个词元读 %1。</translation>
    </message>
    <message>
        <source>Shape whose memory is shown</source>
        <translation>显示哪种形状的内存</translation>
    </message>
    <message>
        <source>The loaded model, or a shape: memory follows from the shapes alone, so no weights are needed</source>
        <translation>已加载的模型，或一种形状：内存只由形状决定，所以不需要权重</translation>
    </message>
    <message>
        <source>loaded model</source>
        <translation>已加载的模型</translation>
    </message>
    <message>
        <source>what if it were</source>
        <translation>假如有</translation>
    </message>
    <message>
        <source>What if the conversation had so many tokens</source>
        <translation>假如对话有这么多词元</translation>
    </message>
    <message>
        <source>From 256 to 1,048,576 tokens; a page step doubles</source>
        <translation>从 256 到 1,048,576 个词元；翻页一次加倍</translation>
    </message>
    <message>
        <source>Bytes now and at the chosen length</source>
        <translation>当前与所选长度下的字节数</translation>
    </message>
    <message>
        <source>Bytes by length of the conversation, both logarithmic</source>
        <translation>字节数随对话长度的变化，两轴均为对数</translation>
    </message>
    <message>
        <source>Bytes of each layer at the chosen length</source>
        <translation>所选长度下各层的字节数</translation>
    </message>
    <message>
        <source>Bytes at the length of the slider. As MLA or attention, multi-head: what the layer would hold as such, computed.</source>
        <translation>滑块所示长度下的字节数。作为 MLA 或注意力、多头：该层若是如此会占多少，为计算值。</translation>
    </message>
    <message>
        <source>now, rows of the cache</source>
        <translation>当前，缓存中的行</translation>
    </message>
    <message>
        <source>now</source>
        <translation>当前</translation>
    </message>
    <message>
        <source>what if</source>
        <translation>假设</translation>
    </message>
    <message>
        <source>crossover</source>
        <translation>交叉点</translation>
    </message>
    <message>
        <source>This conversation</source>
        <translation>此对话</translation>
    </message>
    <message>
        <source>A conversation with %1</source>
        <translation>使用 %1 的对话</translation>
    </message>
    <message>
        <source>bytes by length of the conversation</source>
        <translation>字节数随对话长度的变化</translation>
    </message>
    <message>
        <source>now %1</source>
        <translation>当前 %1</translation>
    </message>
    <message>
        <source>computed from its shape</source>
        <translation>由形状算出</translation>
    </message>
    <message>
        <source>what if %1</source>
        <translation>假设 %1</translation>
    </message>
    <message>
        <source>%1 (loaded)</source>
        <translation>%1（已加载）</translation>
    </message>
    <message>
        <source>the memory of %1</source>
        <translation>%1 的显存</translation>
    </message>
    <message>
        <source>this machine's available memory (MemAvailable)</source>
        <translation>本机的可用内存（MemAvailable）</translation>
    </message>
    <message>
        <source>now, %1</source>
        <translation>当前，%1</translation>
    </message>
    <message>
        <source>at %1</source>
        <comment>so many tokens</comment>
        <translation>%1时</translation>
    </message>
    <message>
        <source>of this model</source>
        <translation>与本模型之比</translation>
    </message>
    <message>
        <source>fits here up to</source>
        <translation>这里最多容纳</translation>
    </message>
    <message>
        <source>n/a (unknown memory)</source>
        <translation>无（内存未知）</translation>
    </message>
    <message>
        <source>nothing</source>
        <translation>无法容纳</translation>
    </message>
    <message>
        <source>any length</source>
        <translation>任意长度</translation>
    </message>
    <message>
        <source>%1 tokens</source>
        <translation>%1 词元</translation>
    </message>
    <message>
        <source>multi-head attention, computed</source>
        <translation>多头注意力（计算值）</translation>
    </message>
    <message>
        <source>&lt;p&gt;This model: state %1 and convolution tails %2, constant; cache %3 a token, in pages of 256 tokens.&lt;/p&gt;&lt;p&gt;Same-shapes twin: every layer keeps keys and values of %4 heads, %5 values a token.&lt;/p&gt;&lt;p&gt;Multi-head attention: layers &amp;times; heads &amp;times; 2 &amp;times; width of a head, values a token = %6 &amp;times; %7 &amp;times; 2 &amp;times; %8 = %9, at %10 bytes each.&lt;/p&gt;</source>
        <translation>&lt;p&gt;本模型：状态 %1 与卷积尾部 %2，恒定；缓存每词元 %3，每页 256 个词元。&lt;/p&gt;&lt;p&gt;同形孪生：每层保留 %4 个头的键与值，每词元 %5 个数值。&lt;/p&gt;&lt;p&gt;多头注意力：层 &amp;times; 头 &amp;times; 2 &amp;times; 头宽，每词元数值 = %6 &amp;times; %7 &amp;times; 2 &amp;times; %8 = %9，每个 %10 字节。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;This model: state %1 and convolution tails %2, constant; MLA cache %3 a token, in pages of 256 tokens.&lt;/p&gt;&lt;p&gt;Same-shapes twin: every layer keeps r&lt;sub&gt;kv&lt;/sub&gt; + d&lt;sub&gt;rope&lt;/sub&gt; = %4 + %5 values a token.&lt;/p&gt;&lt;p&gt;Multi-head attention: layers &amp;times; heads &amp;times; (d&lt;sub&gt;nope&lt;/sub&gt; + d&lt;sub&gt;rope&lt;/sub&gt; + d&lt;sub&gt;v&lt;/sub&gt;) values a token = %6 &amp;times; %7 &amp;times; (%8 + %9 + %10) = %11, at %12 bytes each.&lt;/p&gt;</source>
        <translation>&lt;p&gt;本模型：状态 %1 和卷积缓存 %2，大小不变；MLA 缓存每词元 %3，每页 256 个词元。&lt;/p&gt;&lt;p&gt;同形状对照模型：每层每词元保留 r&lt;sub&gt;kv&lt;/sub&gt; + d&lt;sub&gt;rope&lt;/sub&gt; = %4 + %5 个值。&lt;/p&gt;&lt;p&gt;多头注意力：每词元的值数为 层数 &amp;times; 头数 &amp;times; (d&lt;sub&gt;nope&lt;/sub&gt; + d&lt;sub&gt;rope&lt;/sub&gt; + d&lt;sub&gt;v&lt;/sub&gt;) = %6 &amp;times; %7 &amp;times; (%8 + %9 + %10) = %11，每个 %12 字节。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>tokens of conversation</source>
        <translation>对话的词元数</translation>
    </message>
    <message>
        <source>limit of this machine %1</source>
        <translation>本机上限 %1</translation>
    </message>
    <message>
        <source>now in the cache %1</source>
        <translation>当前在缓存中 %1</translation>
    </message>
    <message>
        <source>smaller than the same-shapes twin from %1</source>
        <translation>从 %1 起小于同形状对照模型</translation>
    </message>
    <message>
        <source>smaller from %1</source>
        <translation>从 %1 起更小</translation>
    </message>
    <message>
        <source>the model's limit %1</source>
        <translation>模型的上限 %1</translation>
    </message>
    <message>
        <source>The cache rolls: of %1 it holds the newest %2, and %3 were dropped; the states have seen all.</source>
        <translation>缓存在滚动：%1中保留最新的 %2 个，已丢弃 %3 个；状态看过全部内容。</translation>
    </message>
    <message>
        <source>Below %1 the same-shapes twin is the smaller one: a state is paid for at once, a cache token by token.</source>
        <translation>少于 %1时，同形状对照模型更小：状态的代价一次付清，缓存则逐词元支付。</translation>
    </message>
    <message>
        <source>Below %1 multi-head attention is the smaller one: a state is paid for at once, a cache token by token.</source>
        <translation>少于 %1时，多头注意力更小：状态的代价一次付清，缓存则逐词元支付。</translation>
    </message>
    <message>
        <source>All layers are attention, so this model is its own same-shapes twin.</source>
        <translation>所有层都是注意力，因此本模型就是它自己的同形孪生。</translation>
    </message>
    <message>
        <source>This system does not say how much memory is free, so no limit is drawn.</source>
        <translation>本系统没有说明有多少空闲内存，所以没有画出上限。</translation>
    </message>
    <message>
        <source>The weights alone (%1) do not fit into the %2 of %3.</source>
        <translation>仅权重（%1）就超出了%3（%2）。</translation>
    </message>
    <message>
        <source>Limit: %1 of %2 minus %3 of weights.</source>
        <translation>上限：%2 %1 减去权重 %3。</translation>
    </message>
    <message>
        <source>none</source>
        <translation>无</translation>
    </message>
    <message>
        <source>up to</source>
        <translation>最长到</translation>
    </message>
    <message>
        <source>Context to race to</source>
        <translation>竞速到的上下文</translation>
    </message>
    <message>
        <source>Start or stop the race</source>
        <translation>开始或停止竞速</translation>
    </message>
    <message>
        <source>How far the race is</source>
        <translation>竞速进度</translation>
    </message>
    <message>
        <source>Tokens a second at the longest context so far</source>
        <translation>目前最长上下文下每秒的词元数</translation>
    </message>
    <message>
        <source>Watch the recorded race</source>
        <translation>观看录制的竞速</translation>
    </message>
    <message>
        <source>Time of a token by context</source>
        <translation>每词元用时随上下文的变化</translation>
    </message>
    <message>
        <source>Memory by context</source>
        <translation>内存随上下文的变化</translation>
    </message>
    <message>
        <source>did not end</source>
        <translation>没有完成</translation>
    </message>
    <message>
        <source>time and memory by context, beside the %1</source>
        <translation>时间和内存随上下文的变化，与%1比较</translation>
    </message>
    <message>
        <source>time and memory by context</source>
        <translation>时间和内存随上下文的变化</translation>
    </message>
    <message>
        <source>There is no race yet: press Start.</source>
        <translation>还没有竞速：请按“开始”。</translation>
    </message>
    <message>
        <source>This recording holds no race.</source>
        <translation>此录制中没有竞速。</translation>
    </message>
    <message>
        <source>Load a model to race it.</source>
        <translation>请加载模型再竞速。</translation>
    </message>
    <message>
        <source>all %1</source>
        <translation>全部 %1</translation>
    </message>
    <message>
        <source>making the twin ready</source>
        <translation>正在准备对照模型</translation>
    </message>
    <message>
        <source>%1 of %2 tokens, both in turn</source>
        <translation>%1 / %2 个词元，两者轮流</translation>
    </message>
    <message>
        <source>done</source>
        <translation>完成</translation>
    </message>
    <message>
        <source>waits until the model is free</source>
        <translation>等模型空闲</translation>
    </message>
    <message>
        <source>Nothing to race: no engine here runs multi-head attention. Compare with the twin (run bar) to race it.</source>
        <translation>没有可竞速的对象：这里没有引擎运行多头注意力。请在运行栏选择与对照模型对比。</translation>
    </message>
    <message>
        <source>as fast</source>
        <translation>速度</translation>
    </message>
    <message>
        <source>as slow</source>
        <translation>用时</translation>
    </message>
    <message>
        <source>and %1× the memory, at %2</source>
        <translation>内存为 %1×，上下文 %2</translation>
    </message>
    <message>
        <source>Press Start: both models decode the same tokens in turn, at growing contexts.</source>
        <translation>按“开始”：两个模型轮流解码相同的词元，上下文逐渐变长。</translation>
    </message>
    <message>
        <source>Load a model to race it against its full-attention twin.</source>
        <translation>请加载模型，与它的全注意力对照模型竞速。</translation>
    </message>
    <message>
        <source>A race that was recorded on another machine comes with this program.</source>
        <translation>本程序附带一次在另一台机器上录制的竞速。</translation>
    </message>
    <message>
        <source>tokens of context</source>
        <translation>上下文的词元数</translation>
    </message>
    <message>
        <source>this model, recorded</source>
        <translation>本模型，录制</translation>
    </message>
    <message>
        <source>time of a token: median, fastest to slowest</source>
        <translation>每词元用时：中位数，最快至最慢</translation>
    </message>
    <message>
        <source>time of a token, median</source>
        <translation>每词元用时，中位数</translation>
    </message>
    <message>
        <source>memory of the conversation</source>
        <translation>对话占用的内存</translation>
    </message>
    <message>
        <source>this model, computed</source>
        <translation>本模型（计算值）</translation>
    </message>
    <message>
        <source>less memory than the same-shapes twin from %1</source>
        <translation>从 %1 起内存少于同形状对照模型</translation>
    </message>
    <message>
        <source>less memory from %1</source>
        <translation>从 %1 起内存更少</translation>
    </message>
    <message>
        <source>The trained twin was trained as full attention, with shapes of its own.</source>
        <translation>训练过的对照模型是按全注意力训练的，有自己的形状。</translation>
    </message>
    <message>
        <source>The twin has this model's weights but for its mixers, which are full attention with random weights: its times and bytes are real, its words are not.</source>
        <translation>对照模型用的是本模型的权重，只是混合层换成随机权重的全注意力：时间和字节是真实的，说的话不是。</translation>
    </message>
    <message>
        <source>Recorded: not measured on this machine now.</source>
        <translation>录制：不是现在在本机测得的。</translation>
    </message>
    <message>
        <source>It will run on the %1 of this conversation, repeated.</source>
        <translation>将在此对话的 %1上重复运行。</translation>
    </message>
    <message>
        <source>It will run on random tokens, as there is no conversation yet.</source>
        <translation>还没有对话，所以将在随机词元上运行。</translation>
    </message>
    <message>
        <source>It ran on the %1 that the conversation had then, repeated.</source>
        <translation>是在当时对话的 %1上重复运行的。</translation>
    </message>
    <message>
        <source>It ran on random tokens, as there was no conversation.</source>
        <translation>当时没有对话，所以是在随机词元上运行的。</translation>
    </message>
    <message>
        <source>Hold A</source>
        <translation>保留 A</translation>
    </message>
    <message>
        <source>Hold B</source>
        <translation>保留 B</translation>
    </message>
    <message>
        <source>Lock range</source>
        <translation>锁定范围</translation>
    </message>
    <message>
        <source>Now</source>
        <translation>现在</translation>
    </message>
    <message>
        <source>Now − A</source>
        <translation>现在 − A</translation>
    </message>
    <message>
        <source>State, picture</source>
        <translation>状态，图</translation>
    </message>
    <message>
        <source>The state as it is now, or after the chosen token; one that was held; or the difference of two</source>
        <translation>现在的状态，或所选词元之后的状态；保留的某个状态；或两者之差</translation>
    </message>
    <message>
        <source>Keep the state that Now shows as A</source>
        <translation>把“现在”显示的状态保留为 A</translation>
    </message>
    <message>
        <source>Keep the state that Now shows as B</source>
        <translation>把“现在”显示的状态保留为 B</translation>
    </message>
    <message>
        <source>Keep the range of the colours for all heads and pictures. Unlocked, a head's range only grows, in steps; it covers all but the largest half percent of the numbers.</source>
        <translation>所有头和图都用同一颜色范围。不锁定时，每个头的范围只会逐级扩大；它覆盖除最大的百分之零点五以外的所有数。</translation>
    </message>
    <message>
        <source>State, %1</source>
        <translation>状态，%1</translation>
    </message>
    <message>
        <source>State, the head that A is of</source>
        <translation>状态，A 所属的头</translation>
    </message>
    <message>
        <source>Norms of this layer's heads</source>
        <translation>该层各头的范数</translation>
    </message>
    <message>
        <source>Norms of all layers, median of heads</source>
        <translation>所有层的范数，各头中位数</translation>
    </message>
    <message>
        <source>Surgery: what can be read, overwritten, erased</source>
        <translation>手术：读取、改写、抹去</translation>
    </message>
    <message>
        <source>Under other rules: the same tokens</source>
        <translation>其他规则下：同样的词元</translation>
    </message>
    <message>
        <source>State, norms of</source>
        <translation>状态，范数取自</translation>
    </message>
    <message>
        <source>Frobenius norms over the last 512 tokens. Line: |S|. Area: |ΔS|, what the token wrote. One common scale, which only grows. Source: the engine's readings; in a long prompt |S| is read at the last token of a chunk only.</source>
        <translation>最近 512 个词元的 Frobenius 范数。线：|S|。面积：|ΔS|，词元写入的量。刻度共用，只会扩大。来源：引擎的读数；长提示词中，|S| 只在每块的最后一个词元处读取。</translation>
    </message>
    <message>
        <source>State matrix</source>
        <translation>状态矩阵</translation>
    </message>
    <message>
        <source>value %1, key %2: %3</source>
        <translation>值 %1，键 %2：%3</translation>
    </message>
    <message>
        <source>n/a (%1)</source>
        <translation>无（%1）</translation>
    </message>
    <message>
        <source>read at the end of a chunk only</source>
        <translation>只在块的末尾读取</translation>
    </message>
    <message>
        <source>after %1</source>
        <translation>在%1之后</translation>
    </message>
    <message>
        <source>the chosen token's comes when the model rests: this is the newest</source>
        <translation>所选词元的状态等模型空闲时给出：这是最新的</translation>
    </message>
    <message>
        <source>looking back …</source>
        <translation>正在回看 …</translation>
    </message>
    <message>
        <source>stopped: this is the newest</source>
        <translation>已停止：这是最新的</translation>
    </message>
    <message>
        <source>more than %1 from any snapshot to the chosen one: this is the newest</source>
        <translation>所选词元离任何快照都超过 %1：这是最新的</translation>
    </message>
    <message>
        <source>no state this early was recorded: this is the newest</source>
        <translation>录制中没有这么早的状态：这是最新的</translation>
    </message>
    <message>
        <source>fed again from a snapshot</source>
        <translation>从快照重新输入</translation>
    </message>
    <message>
        <source>recorded</source>
        <translation>录制的</translation>
    </message>
    <message>
        <source>the nearest that was recorded</source>
        <translation>录制中最近的</translation>
    </message>
    <message>
        <source>There is no picture to hold yet</source>
        <translation>还没有可保留的图</translation>
    </message>
    <message>
        <source>Send a message first: a state is pictured while tokens are made.</source>
        <translation>请先发送消息：生成词元时才有状态图。</translation>
    </message>
    <message>
        <source>%1 is layer %2, head %3, %4. Click to keep the state that Now shows instead.</source>
        <translation>%1 是第 %2 层第 %3 头，%4。点击则改为保留“现在”显示的状态。</translation>
    </message>
    <message>
        <source>Load a model, and this shows what one of its heads remembers.</source>
        <translation>请加载模型，这里会显示它的一个头记住了什么。</translation>
    </message>
    <message>
        <source>This model has no KDA layers: it keeps every token in caches and has no state to look at.</source>
        <translation>这个模型没有 KDA 层：它把每个词元都存在缓存里，没有状态可看。</translation>
    </message>
    <message>
        <source>Nothing is held as %1 yet: the button Hold %1 keeps the state that Now shows.</source>
        <translation>%1 还没有保留任何内容：按钮“保留 %1”会保留“现在”显示的状态。</translation>
    </message>
    <message>
        <source>%1 is of layer %2, head %3, and %4 of layer %5, head %6: a difference needs two states of one head.</source>
        <translation>%1 属于第 %2 层第 %3 头，%4 属于第 %5 层第 %6 头：求差需要同一个头的两个状态。</translation>
    </message>
    <message>
        <source>after %1 less %2</source>
        <translation>在%1之后减去%2之后</translation>
    </message>
    <message>
        <source>The state of %1 is looked up: the tokens are fed again.</source>
        <translation>正在查看%1的状态：词元被重新输入。</translation>
    </message>
    <message>
        <source>The state of %1 comes with the next message.</source>
        <translation>%1的状态随下一条消息给出。</translation>
    </message>
    <message>
        <source>This recording shows no state of %1 here.</source>
        <translation>此录制在这里没有%1的状态。</translation>
    </message>
    <message>
        <source>The picture of now</source>
        <translation>现在的图</translation>
    </message>
    <message>
        <source>No norm is known of them.</source>
        <translation>不知道它们的范数。</translation>
    </message>
    <message>
        <source>Norm of the state of layer %1, head %2: mean %3, the largest %4 at token %5.</source>
        <translation>第 %1 层第 %2 头状态的范数：平均 %3，最大 %4，在词元 %5 处。</translation>
    </message>
    <message>
        <source>negative … positive, in all as in its own</source>
        <translation>负 … 正，刻度同自己的规则</translation>
    </message>
    <message>
        <source>its own rule</source>
        <translation>自己的规则</translation>
    </message>
    <message>
        <source>|S| by token, one log scale</source>
        <translation>逐词元的 |S|，同一对数刻度</translation>
    </message>
    <message>
        <source>cosine of what is read with what was written</source>
        <translation>读出与写入的余弦</translation>
    </message>
    <message>
        <source>negative … positive</source>
        <translation>负 … 正</translation>
    </message>
    <message>
        <source>edge: mean size of a row or column</source>
        <translation>边缘：行或列的平均大小</translation>
    </message>
    <message>
        <source>chosen channel, pinned token</source>
        <translation>所选通道、固定的词元</translation>
    </message>
    <message>
        <source>strength of a direction</source>
        <translation>一个方向的强度</translation>
    </message>
    <message>
        <source>|S|</source>
        <translation>|S|</translation>
    </message>
    <message>
        <source>what a token wrote, |ΔS|</source>
        <translation>词元写入的量 |ΔS|</translation>
    </message>
    <message>
        <source>one state as other rules would have written it</source>
        <translation>其他规则会写成的状态</translation>
    </message>
    <message>
        <source>difference of two states of %1</source>
        <translation>%1的两个状态之差</translation>
    </message>
    <message>
        <source>the state S of %1</source>
        <translation>%1的状态 S</translation>
    </message>
    <message>
        <source>The state is not drawn yet.</source>
        <translation>状态还没有画出。</translation>
    </message>
    <message>
        <source>Show layer %1, head %2, which A is of</source>
        <translation>显示 A 所属的第 %1 层第 %2 头</translation>
    </message>
    <message>
        <source>The norms</source>
        <translation>范数</translation>
    </message>
    <message>
        <source>The norms of each token come with the next message.</source>
        <translation>每个词元的范数随下一条消息给出。</translation>
    </message>
    <message>
        <source>layer %1 · head %2 · |%3| %4 · %5</source>
        <translation>第 %1 层 · 第 %2 头 · |%3| %4 · %5</translation>
    </message>
    <message>
        <source>value %1 · key %2 · %3 %4</source>
        <translation>值 %1 · 键 %2 · %3 %4</translation>
    </message>
    <message>
        <source>range ±%1 (locked), %2 beyond it</source>
        <translation>范围 ±%1（已锁定），超出 %2</translation>
    </message>
    <message>
        <source>range ±%1, %2 beyond it</source>
        <translation>范围 ±%1，超出 %2</translation>
    </message>
    <message>
        <source>A piece of text that the model reads or writes at once: a word or a part of one.</source>
        <translation>模型一次读入或写出的一段文字：一个词或词的一部分。</translation>
    </message>
    <message>
        <source>One stage of the model. A KDA layer keeps a state, an MLA layer keeps a cache.</source>
        <translation>模型的一级。KDA 层保存状态，MLA 层保存缓存。</translation>
    </message>
    <message>
        <source>A part of a layer that has a memory of its own.</source>
        <translation>层的一部分，有自己的记忆。</translation>
    </message>
    <message>
        <source>One column of a head's state. Every token sets anew how much of it is left.</source>
        <translation>一个头的状态的一列。每个词元都会重新决定它还剩多少。</translation>
    </message>
    <message>
        <source>After so many tokens half of what a channel held is left. Later writes are not counted.</source>
        <translation>经过这么多词元，通道的内容还剩一半。不计后来的写入。</translation>
    </message>
    <message>
        <source>gate</source>
        <translation>门控</translation>
    </message>
    <message>
        <source>α, from 0 to 1: what a token leaves of a channel.</source>
        <translation>α，从 0 到 1：一个词元使通道的内容留下多少。</translation>
    </message>
    <message>
        <source>decay</source>
        <translation>衰减</translation>
    </message>
    <message>
        <source>What the gates take away, token by token, whatever is written meanwhile.</source>
        <translation>无论其间写入什么，门控逐词元带走的部分。</translation>
    </message>
    <message>
        <source>A matrix of constant size in which a head of a KDA layer keeps what it has read.</source>
        <translation>大小不变的矩阵，KDA 层的一个头在其中保存读过的内容。</translation>
    </message>
    <message>
        <source>What an MLA layer keeps of every token. It grows with the conversation.</source>
        <translation>MLA 层为每个词元保存的内容。它随对话增长。</translation>
    </message>
    <message>
        <source>The address under which a head writes something into its state, and finds it again.</source>
        <translation>地址：一个头按它把内容写入状态，再按它找回来。</translation>
    </message>
    <message>
        <source>What a head writes under a key.</source>
        <translation>一个头在某个键下写入的内容。</translation>
    </message>
    <message>
        <source>overwriting</source>
        <translation>改写</translation>
    </message>
    <message>
        <source>What later tokens take away where they write under keys that resemble an older one.</source>
        <translation>后来的词元在与旧键相似的键下写入时所抹掉的部分。</translation>
    </message>
    <message>
        <source>How a token changes a state: what it leaves of what was there, and how it writes.</source>
        <translation>词元怎样改变状态：原有的留下多少，又怎样写入。</translation>
    </message>
    <message>
        <source>Writing only what is new: the value less what its key reads already.</source>
        <translation>只写新的部分：值减去它的键已经读出的内容。</translation>
    </message>
    <message>
        <source>DeltaNet</source>
        <translation>DeltaNet</translation>
    </message>
    <message>
        <source>A state without gates: only the delta rule takes away what was written before.</source>
        <translation>没有门控的状态：只有 delta 规则会去掉以前写入的内容。</translation>
    </message>
    <message>
        <source>The delta rule behind one gate for a whole head. KDA has a gate for each channel.</source>
        <translation>整个头一个门控，后面是 delta 规则。KDA 每个通道各有一个门控。</translation>
    </message>
    <message>
        <source>GLA</source>
        <translation>GLA</translation>
    </message>
    <message>
        <source>Gated linear attention: a gate for each channel, and every value is added, whatever its key reads already.</source>
        <translation>门控线性注意力：每个通道一个门控，每个值都加上去，不管它的键已经读出什么。</translation>
    </message>
    <message>
        <source>The oldest such state: every value is added to it, and nothing is taken away.</source>
        <translation>最早的这种状态：每个值都加上去，什么也不去掉。</translation>
    </message>
    <message>
        <source>How alike two directions are: 1 the same, 0 nothing in common, −1 opposite.</source>
        <translation>两个方向有多相似：1 相同，0 毫无共同之处，−1 相反。</translation>
    </message>
    <message>
        <source>cut</source>
        <translation>手术</translation>
    </message>
    <message>
        <source>A change of a state by hand: one key gets another value, or none.</source>
        <translation>用手改变一个状态：一个键得到另一个值，或没有值。</translation>
    </message>
    <message>
        <source>direction</source>
        <translation>方向</translation>
    </message>
    <message>
        <source>A pattern over keys that a state can hold apart from the others. A state with 32 keys has room for 32.</source>
        <translation>状态能与其他内容分开保存的、键上的一种模式。有 32 个键通道的状态能容纳 32 个。</translation>
    </message>
    <message>
        <source>One of several small networks of a layer. A router picks a few of them for each token.</source>
        <translation>一层中若干小网络之一。路由器为每个词元选择其中几个。</translation>
    </message>
    <message>
        <source>router</source>
        <translation>路由器</translation>
    </message>
    <message>
        <source>The part of a layer that picks experts for a token.</source>
        <translation>层中为词元选择专家的部分。</translation>
    </message>
    <message>
        <source>even share</source>
        <translation>均等份额</translation>
    </message>
    <message>
        <source>How often an expert would be picked if all were picked equally often.</source>
        <translation>如果所有专家被选中得一样多，一个专家会被选中的频率。</translation>
    </message>
    <message>
        <source>logit</source>
        <translation>logit</translation>
    </message>
    <message>
        <source>The model's score of a token that could come next, before it becomes a probability.</source>
        <translation>模型给可能的下一个词元打的分，之后才变成概率。</translation>
    </message>
    <message>
        <source>How unsure the model was, in nats. 0: it saw one choice only.</source>
        <translation>模型有多不确定，以 nat 计。0：它只看到一种选择。</translation>
    </message>
    <message>
        <source>equal choices</source>
        <translation>等可能选项</translation>
    </message>
    <message>
        <source>e to the entropy: so many equally likely tokens would be as unsure.</source>
        <translation>e 的熵次幂：这么多个等可能的词元会同样不确定。</translation>
    </message>
    <message>
        <source>A model with full attention in every layer that was trained beside this one. It has shapes of its own.</source>
        <translation>每一层都是全注意力、与本模型一同训练的模型。它有自己的形状。</translation>
    </message>
    <message>
        <source>This model with attention in every layer. Its memory follows from the shapes alone, so it is computed.</source>
        <translation>本模型，每一层都换成注意力。其内存仅由形状决定，因此是计算得出的。</translation>
    </message>
    <message>
        <source>twin</source>
        <translation>对照模型</translation>
    </message>
    <message>
        <source>A model with full attention in every layer, to compare with.</source>
        <translation>每一层都是全注意力的模型，用来对比。</translation>
    </message>
    <message>
        <source>Hello</source>
        <translation>你好</translation>
    </message>
    <message>
        <source>The states begin at zero: watch the first words fill them.</source>
        <translation>状态从零开始：看最初的几个词怎样填充它们。</translation>
    </message>
    <message>
        <source>What is KDA?</source>
        <translation>什么是 KDA？</translation>
    </message>
    <message>
        <source>Compare the half-lives, from channel to channel and from layer to layer.</source>
        <translation>比较各通道、各层的半衰期。</translation>
    </message>
    <message>
        <source>What is MLA?</source>
        <translation>什么是 MLA？</translation>
    </message>
    <message>
        <source>MLA's cache grows with every token, the KDA states stay as large as they were.</source>
        <translation>MLA 的缓存随每个词元增长，KDA 状态的大小始终不变。</translation>
    </message>
    <message>
        <source>Experts at work</source>
        <translation>专家在工作</translation>
    </message>
    <message>
        <source>Two of eight experts work on a token: see which ones carried this answer.</source>
        <translation>每个词元由八个专家中的两个处理：看这个回答是由哪些专家完成的。</translation>
    </message>
    <message>
        <source>Where is the order?</source>
        <translation>顺序在哪里？</translation>
    </message>
    <message>
        <source>Only the last layer attends, and it knows no positions: see which tokens it looks at.</source>
        <translation>只有最后一层做注意力，而且它不知道位置：看它关注哪些词元。</translation>
    </message>
    <message>
        <source>Replace, not pile up</source>
        <translation>替换，而不是堆积</translation>
    </message>
    <message>
        <source>A write first takes away what its key held: watch a state from token to token.</source>
        <translation>写入会先去掉该键下原有的内容：逐词元观察一个状态。</translation>
    </message>
    <message>
        <source>A color over distance</source>
        <translation>隔了很远的颜色</translation>
    </message>
    <message>
        <source>The color was told three exchanges ago: look for channels whose half-life is longer than that, and at what is left of it.</source>
        <translation>颜色是三轮之前说的：找半衰期比这更长的通道，看它还剩多少。</translation>
    </message>
    <message>
        <source>A name it does not know</source>
        <translation>它不认识的名字</translation>
    </message>
    <message>
        <source>It was trained on made-up names: what it says comes out of its memory, token by token.</source>
        <translation>训练时用的是编造的名字：它说的话逐词元来自它的记忆。</translation>
    </message>
    <message>
        <source>Three facts in one breath</source>
        <translation>一口气三件事</translation>
    </message>
    <message>
        <source>Three facts lie in the same matrices under different keys: see how the state of layer 0, head 0 finds the job.</source>
        <translation>三件事以不同的键存在同样的矩阵里：看第 0 层第 0 头的状态怎样找到职业。</translation>
    </message>
    <message>
        <source>Override a fact, twice</source>
        <translation>两次改口</translation>
    </message>
    <message>
        <source>Each new color is written where the last one was: watch the state at "green".</source>
        <translation>每个新颜色都写在上一个颜色所在的位置：看“green”处的状态。</translation>
    </message>
    <message>
        <source>Not told</source>
        <translation>没有说过</translation>
    </message>
    <message>
        <source>There is nothing to recall: see how sure it is when it says so.</source>
        <translation>没有什么可回忆的：看它这么说的时候有多确定。</translation>
    </message>
    <message>
        <source>Push and pop</source>
        <translation>入栈与出栈</translation>
    </message>
    <message>
        <source>The top is no longer the last number it read: see what each memory looks back at.</source>
        <translation>栈顶不再是它读到的最后一个数：看两种记忆各自回看什么。</translation>
    </message>
    <message>
        <source>A number in a text</source>
        <translation>文中的数字</translation>
    </message>
    <message>
        <source>A digit is a token of its own: behind the 4, the state of layer 0, head 0 finds the 9 in the middle of a text.</source>
        <translation>一个数字就是一个词元：在 4 之后，第 0 层第 0 头的状态在一段文字中间找到了 9。</translation>
    </message>
    <message>
        <source>Backwards</source>
        <translation>倒着来</translation>
    </message>
    <message>
        <source>Now every word is the key to the one before it: compare the candidates at each comma.</source>
        <translation>现在每个词都是它前一个词的键：比较每个逗号处的候选。</translation>
    </message>
    <message>
        <source>A story of a cat</source>
        <translation>一只猫的故事</translation>
    </message>
    <message>
        <source>The name is chosen once and then kept: before "Rocket smiled" the cache looks at where it was said first.</source>
        <translation>名字选定一次后就一直沿用：在“Rocket smiled”之前，缓存看的是它第一次出现的地方。</translation>
    </message>
    <message>
        <source>Keep a list</source>
        <translation>记住一个清单</translation>
    </message>
    <message>
        <source>Every word is the key to the next one: see which word the state of layer 0, head 0 finds while the list comes back.</source>
        <translation>每个词都是下一个词的键：看清单复述时，第 0 层第 0 头的状态找到哪个词。</translation>
    </message>
    <message>
        <source>A fact out of the weights</source>
        <translation>来自权重的事实</translation>
    </message>
    <message>
        <source>Nobody has said it before: this answer comes out of the weights, not out of the memory.</source>
        <translation>之前没有人说过：这个回答来自权重，而不是来自记忆。</translation>
    </message>
    <message>
        <source>A question it cannot answer</source>
        <translation>答不了的问题</translation>
    </message>
    <message>
        <source>It declines in its own words: see how early that is decided.</source>
        <translation>它用自己的话谢绝：看这是多早就决定的。</translation>
    </message>
    <message>
        <source>Six pairs</source>
        <translation>六对</translation>
    </message>
    <message>
        <source>Six keys and six values in matrices of constant size: each question is a key, and the state of layer 0, head 0 finds what it leads to.</source>
        <translation>六个键和六个值存在大小不变的矩阵里：每个问题就是一个键，第 0 层第 0 头的状态找到它指向的内容。</translation>
    </message>
    <message>
        <source>Behind a system prompt</source>
        <translation>在系统提示词之后</translation>
    </message>
    <message>
        <source>The system prompt stands in the same memory, and the name behind it: see how much of it is left.</source>
        <translation>系统提示词在同一份记忆里，名字在它后面：看它还剩多少。</translation>
    </message>
    <message>
        <source>OK</source>
        <translation>确定</translation>
    </message>
    <message>
        <source>&amp;Yes</source>
        <translation>是(&amp;Y)</translation>
    </message>
    <message>
        <source>&amp;No</source>
        <translation>否(&amp;N)</translation>
    </message>
</context>
</TS>
