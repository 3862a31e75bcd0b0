<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="ru" sourcelanguage="en">
<context>
    <name>klp</name>
    <message>
        <source>KL divergence, in nats: both memories read the words of the answer before, and this is how far what the model would say next moves under the hand, over the whole vocabulary and before temperature. 0: nothing moves. Bars: one a token, height by the root, of a nat or of the most there is.
|S|: Frobenius norm of all states behind that answer, before and under the hand, and the norm of their difference as a share of the first.</source>
        <translation>Расхождение KL, в натах: обе памяти читают слова прежнего ответа, и это показывает, насколько сдвигается под вмешательством то, что модель сказала бы дальше, по всему словарю и до температуры. 0: ничего не сдвинулось. Столбцы: по одному на токен, высота по корню, от ната или от наибольшего.
|S|: норма Фробениуса всех состояний после того ответа, до вмешательства и под ним, и норма их разности как доля первой.</translation>
    </message>
    <message>
        <source>the same, word for word</source>
        <translation>то же слово в слово</translation>
    </message>
    <message>
        <source>%1 of %2 differ</source>
        <translation>отличается %1 из: %2</translation>
    </message>
    <message>
        <source>KL %1 nats a token, most %2 at “%3”</source>
        <translation>KL %1 ната на токен, больше всего %2 на «%3»</translation>
    </message>
    <message>
        <source>|S| %1 → %2, apart by %3</source>
        <translation>|S| %1 → %2, разность %3</translation>
    </message>
    <message>
        <source>Beside the answer before: %1</source>
        <translation>Рядом с прежним ответом: %1</translation>
    </message>
    <message>
        <source>the end</source>
        <translation>конец</translation>
    </message>
    <message>
        <source>token %1, “%2”: KL %3 nats; its probability %4 → %5</source>
        <translation>токен %1, «%2»: KL %3 ната; его вероятность %4 → %5</translation>
    </message>
    <message>
        <source>Dismiss</source>
        <translation>Закрыть</translation>
    </message>
    <message>
        <source>Dismiss the message</source>
        <translation>Закрыть сообщение</translation>
    </message>
    <message>
        <source>Dismiss the message (Esc)</source>
        <translation>Закрыть сообщение (Esc)</translation>
    </message>
    <message>
        <source>Problem: %1</source>
        <translation>Ошибка: %1</translation>
    </message>
    <message>
        <source>Note: %1</source>
        <translation>Замечание: %1</translation>
    </message>
    <message>
        <source>Under the hands before</source>
        <translation>Под прежними вмешательствами</translation>
    </message>
    <message>
        <source>Without hands</source>
        <translation>Без вмешательств</translation>
    </message>
    <message>
        <source>Go back to this answer; the other stays as a branch</source>
        <translation>Вернуться к этому ответу; другой остаётся ветвью</translation>
    </message>
    <message>
        <source>Go back to the answer before</source>
        <translation>Вернуться к прежнему ответу</translation>
    </message>
    <message>
        <source>The answer before</source>
        <translation>Прежний ответ</translation>
    </message>
    <message>
        <source>Calls &lt;b&gt;%1&lt;/b&gt;</source>
        <translation>Вызывает &lt;b&gt;%1&lt;/b&gt;</translation>
    </message>
    <message>
        <source>What it returns, such as {"temperature": 21}</source>
        <translation>Что он возвращает, например {"temperature": 21}</translation>
    </message>
    <message>
        <source>What the call %1 returns</source>
        <translation>Что возвращает вызов %1</translation>
    </message>
    <message>
        <source>Return</source>
        <translation>Вернуть</translation>
    </message>
    <message>
        <source>Return to %1</source>
        <translation>Вернуть в %1</translation>
    </message>
    <message>
        <source>The model goes on when all calls of this answer have returned</source>
        <translation>Модель продолжит, когда вернутся все вызовы этого ответа</translation>
    </message>
    <message>
        <source>What the model is told before the conversation</source>
        <translation>Что модель узнаёт до начала беседы</translation>
    </message>
    <message>
        <source>What the model may call; you say what a call returns</source>
        <translation>Что модель может вызывать; что вернёт вызов, скажете вы</translation>
    </message>
    <message>
        <source>System prompt</source>
        <translation>Системный промпт</translation>
    </message>
    <message>
        <source>What the model is told before the conversation, such as: Answer in one sentence.</source>
        <translation>Что модель узнаёт до начала беседы, например: Отвечай одним предложением.</translation>
    </message>
    <message>
        <source>Tools</source>
        <translation>Инструменты</translation>
    </message>
    <message>
        <source>The tools that the model may call, as OpenAI's API has them:</source>
        <translation>Инструменты, которые модель может вызывать, в формате API OpenAI:</translation>
    </message>
    <message>
        <source>Load it on the CPU</source>
        <translation>Загрузить на CPU</translation>
    </message>
    <message>
        <source>Load it again</source>
        <translation>Загрузить снова</translation>
    </message>
    <message>
        <source>Load the embedded model</source>
        <translation>Загрузить встроенную модель</translation>
    </message>
    <message>
        <source>Open a folder…</source>
        <translation>Открыть папку…</translation>
    </message>
    <message>
        <source>Roll on</source>
        <translation>Сдвигать кэш</translation>
    </message>
    <message>
        <source>The oldest tokens are dropped from the latent cache as new ones come. The KDA states, which have seen everything, go on; attention is exact over what is left</source>
        <translation>Самые старые токены удаляются из латентного кэша по мере появления новых. Состояния KDA, видевшие всё, остаются; по оставшемуся внимание точное</translation>
    </message>
    <message>
        <source>Sum up</source>
        <translation>Обобщить</translation>
    </message>
    <message>
        <source>The model sums the talk up and goes on from that and the last exchange. Nothing is removed from the chat</source>
        <translation>Модель подводит итог беседы и продолжает с ним и с последней репликой. Из беседы ничего не удаляется</translation>
    </message>
    <message>
        <source>New chat</source>
        <translation>Новая беседа</translation>
    </message>
    <message>
        <source>This one stays as it is</source>
        <translation>Эта останется как есть</translation>
    </message>
    <message>
        <source>Tint</source>
        <translation>Окраска</translation>
    </message>
    <message>
        <source>Colour the words by a number of their tokens</source>
        <translation>Окрасить слова по числу их токенов</translation>
    </message>
    <message>
        <source>What the words are coloured by</source>
        <translation>Чем окрашены слова</translation>
    </message>
    <message>
        <source>&amp;Nothing</source>
        <translation>&amp;Ничем</translation>
    </message>
    <message>
        <source>&amp;Surprise</source>
        <translation>&amp;Неожиданность</translation>
    </message>
    <message>
        <source>&amp;Update norm, median of all heads</source>
        <translation>Норма &amp;обновления, медиана по головам</translation>
    </message>
    <message>
        <source>Update norm of the chosen &amp;head</source>
        <translation>Норма обновления выбранной &amp;головы</translation>
    </message>
    <message>
        <source>What is &amp;left in the chosen head</source>
        <translation>Что ос&amp;талось в выбранной голове</translation>
    </message>
    <message>
        <source>&amp;Difference from the other branch</source>
        <translation>&amp;Отличие от другой ветви</translation>
    </message>
    <message>
        <source>Tint  •</source>
        <translation>Окраска  •</translation>
    </message>
    <message>
        <source>Find in this chat</source>
        <translation>Найти в этой беседе</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Закрыть</translation>
    </message>
    <message>
        <source>Previous place</source>
        <translation>Предыдущее место</translation>
    </message>
    <message>
        <source>Previous place (Shift+Enter)</source>
        <translation>Предыдущее место (Shift+Enter)</translation>
    </message>
    <message>
        <source>Next place</source>
        <translation>Следующее место</translation>
    </message>
    <message>
        <source>Next place (Enter)</source>
        <translation>Следующее место (Enter)</translation>
    </message>
    <message>
        <source>Close the search</source>
        <translation>Закрыть поиск</translation>
    </message>
    <message>
        <source>Close the search (Esc)</source>
        <translation>Закрыть поиск (Esc)</translation>
    </message>
    <message>
        <source>not found</source>
        <translation>не найдено</translation>
    </message>
    <message>
        <source>%1 of %2</source>
        <translation>%1 из %2</translation>
    </message>
    <message>
        <source>The tools are not what they were: %1.</source>
        <translation>Инструменты не изменены: %1.</translation>
    </message>
    <message>
        <source>Mend the text, or empty it.</source>
        <translation>Исправьте текст или очистите его.</translation>
    </message>
    <message>
        <source>Title of the chat</source>
        <translation>Название беседы</translation>
    </message>
    <message>
        <source>System prompt  •</source>
        <translation>Системный промпт  •</translation>
    </message>
    <message>
        <source>System prompt: none</source>
        <translation>Системный промпт: нет</translation>
    </message>
    <message>
        <source>System prompt: set</source>
        <translation>Системный промпт: задан</translation>
    </message>
    <message>
        <source>Tools  •</source>
        <translation>Инструменты  •</translation>
    </message>
    <message>
        <source>Tools: none</source>
        <translation>Инструменты: нет</translation>
    </message>
    <message>
        <source>Tools: declared</source>
        <translation>Инструменты: заданы</translation>
    </message>
    <message>
        <source>The context of %1 is full.</source>
        <translation>Контекст заполнен: %1.</translation>
    </message>
    <message>
        <source>This model's attention rotates keys by their positions, so what is left of its cache cannot be moved up</source>
        <translation>Внимание этой модели поворачивает ключи по позициям, поэтому остаток её кэша нельзя сдвинуть</translation>
    </message>
    <message>
        <source>The model is loading; then it answers.</source>
        <translation>Модель загружается и затем ответит.</translation>
    </message>
    <message>
        <source>The device failed. What was said is kept; the model is not loaded any more.</source>
        <translation>Отказ устройства. Сказанное сохранено; модель больше не загружена.</translation>
    </message>
    <message>
        <source>No model is loaded. A message loads one and is answered.</source>
        <translation>Модель не загружена. Сообщение загрузит её и получит ответ.</translation>
    </message>
    <message>
        <source>Export the chat</source>
        <translation>Экспорт беседы</translation>
    </message>
    <message>
        <source>The shown line as Markdown (*.md);;All branches as JSON (*.json)</source>
        <translation>Показанная ветвь, Markdown (*.md);;Все ветви, JSON (*.json)</translation>
    </message>
    <message>
        <source>Written: %1</source>
        <translation>Записано: %1</translation>
    </message>
    <message>
        <source>Import a chat</source>
        <translation>Импорт беседы</translation>
    </message>
    <message>
        <source>Chats (*.json)</source>
        <translation>Беседы (*.json)</translation>
    </message>
    <message>
        <source>Another window of this program uses the same conversations (%1); a chat that both go on with goes on here in a copy</source>
        <translation>Другое окно этой программы использует те же беседы (%1); беседа, которую продолжат оба, продолжится здесь в копии</translation>
    </message>
    <message>
        <source>%1 (and %2 more)</source>
        <translation>%1 (и ещё %2)</translation>
    </message>
    <message>
        <source>Nothing was changed or thrown away.</source>
        <translation>Ничего не изменено и не отброшено.</translation>
    </message>
    <message>
        <source>What is said is kept in memory only: %1.</source>
        <translation>Сказанное хранится только в памяти: %1.</translation>
    </message>
    <message>
        <source>Make room or make the folder writable; all of it is written with the next message.</source>
        <translation>Освободите место или разрешите запись в папку; всё запишется со следующим сообщением.</translation>
    </message>
    <message>
        <source>Both are in the list.</source>
        <translation>Обе есть в списке.</translation>
    </message>
    <message>
        <source>Fork</source>
        <translation>Ответвление</translation>
    </message>
    <message>
        <source>%1 (fork)</source>
        <translation>%1 (ответвление)</translation>
    </message>
    <message>
        <source>This token was fed, not made by the model: there was nothing to choose.</source>
        <translation>Этот токен подан, а не создан моделью: выбирать было не из чего.</translation>
    </message>
    <message>
        <source>The last turn is undone; it stays as a branch.</source>
        <translation>Последний ход отменён; он остаётся ветвью.</translation>
    </message>
    <message>
        <source>Go ahead</source>
        <translation>Вперёд</translation>
    </message>
    <message>
        <source>Bring back</source>
        <translation>Вернуть</translation>
    </message>
    <message>
        <source>“%1” is hidden; its file stays.</source>
        <translation>«%1» скрыта; её файл остаётся.</translation>
    </message>
    <message>
        <source>%1 has %2, more than the %3 a chat may have</source>
        <translation>%1: %2, а для беседы допустимо не больше %3</translation>
    </message>
    <message>
        <source>Imported</source>
        <translation>Импортировано</translation>
    </message>
    <message>
        <source>An answer is being played again: what you asked for needs the conversation as it stands now.</source>
        <translation>Ответ проигрывается ещё раз: для этого нужен разговор в его нынешнем виде.</translation>
    </message>
    <message>
        <source>This is a recording: nothing can be said to it.</source>
        <translation>Это запись: ей ничего нельзя сказать.</translation>
    </message>
    <message>
        <source>Back to now</source>
        <translation>К настоящему</translation>
    </message>
    <message>
        <source>Leave the replay</source>
        <translation>Выйти из повтора</translation>
    </message>
    <message>
        <source>An answer is being made.</source>
        <translation>Ответ ещё создаётся.</translation>
    </message>
    <message>
        <source>Stop it</source>
        <translation>Остановить</translation>
    </message>
    <message>
        <source>No model is loaded, so nobody can answer.</source>
        <translation>Модель не загружена, отвечать некому.</translation>
    </message>
    <message>
        <source>The model is still loading; what you asked for before is done first.</source>
        <translation>Модель ещё загружается; сначала выполнится то, что вы просили раньше.</translation>
    </message>
    <message>
        <source>This model's context cannot roll on: its attention rotates keys by their positions.</source>
        <translation>Контекст этой модели нельзя сдвигать: её внимание поворачивает ключи по позициям.</translation>
    </message>
    <message>
        <source>Let it sum the talk up instead.</source>
        <translation>Пусть она лучше обобщит беседу.</translation>
    </message>
    <message>
        <source>There is nothing to sum up yet: the message alone does not fit.</source>
        <translation>Обобщать пока нечего: не помещается само сообщение.</translation>
    </message>
    <message>
        <source>Shorten it, or let the context roll on.</source>
        <translation>Сократите его или разрешите сдвигать контекст.</translation>
    </message>
    <message>
        <source>A summary is not answered.</source>
        <translation>На итог ответа не бывает.</translation>
    </message>
    <message>
        <source>Send a message.</source>
        <translation>Отправьте сообщение.</translation>
    </message>
    <message>
        <source>With these settings the model says the same again: it always takes the most probable token.</source>
        <translation>С этими настройками модель скажет то же самое: она всегда берёт самый вероятный токен.</translation>
    </message>
    <message>
        <source>Vary this once</source>
        <translation>Изменить на один раз</translation>
    </message>
    <message>
        <source>costs nothing: the memory stands there</source>
        <translation>ничего не стоит: память стоит там</translation>
    </message>
    <message>
        <source>restore %1</source>
        <translation>восстановить %1</translation>
    </message>
    <message>
        <source>replay %1</source>
        <translation>повторить %1</translation>
    </message>
    <message>
        <source>Recording: %1</source>
        <translation>Запись: %1</translation>
    </message>
    <message>
        <source>This is a recording: nothing in it can be changed. Load a model to lay hands on its memory.</source>
        <translation>Это запись: в ней ничего нельзя изменить. Загрузите модель, чтобы вмешаться в её память.</translation>
    </message>
    <message>
        <source>Another program serves this model, and its memory is out of reach from here.</source>
        <translation>Эту модель обслуживает другая программа, и её память отсюда недоступна.</translation>
    </message>
    <message>
        <source>Load a model, and its memory can be changed here.</source>
        <translation>Загрузите модель, и здесь можно будет менять её память.</translation>
    </message>
    <message>
        <source>Ask something first: the answer is made again under the hand, beside the one that stands.</source>
        <translation>Сначала спросите что-нибудь: ответ будет дан снова под вмешательством, рядом с имеющимся.</translation>
    </message>
    <message>
        <source>This answer has no question that could be asked again.</source>
        <translation>У этого ответа нет вопроса, который можно задать снова.</translation>
    </message>
    <message>
        <source>This answer is of another model. Regenerate it first, so that the two that are compared are of one.</source>
        <translation>Этот ответ дала другая модель. Сначала получите его заново, чтобы сравнивались два ответа одной модели.</translation>
    </message>
    <message>
        <source>The question of this answer is not in the model's memory any more: it was summed up.</source>
        <translation>Вопроса к этому ответу уже нет в памяти модели: он вошёл в сводку.</translation>
    </message>
    <message>
        <source>Ask something.</source>
        <translation>Спросите что-нибудь.</translation>
    </message>
    <message>
        <source>Only what stands before the answer can be hidden from it.</source>
        <translation>От ответа можно скрыть только то, что стоит перед ним.</translation>
    </message>
    <message>
        <source>Choose tokens further up, or ask something more.</source>
        <translation>Выберите токены выше или спросите ещё что-нибудь.</translation>
    </message>
    <message>
        <source>That is how it is already.</source>
        <translation>Так уже и есть.</translation>
    </message>
    <message>
        <source>Code</source>
        <translation>Код</translation>
    </message>
    <message>
        <source>%1 code</source>
        <translation>Код: %1</translation>
    </message>
    <message>
        <source>code</source>
        <translation>код</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Копировать</translation>
    </message>
    <message>
        <source>Copy the code</source>
        <translation>Копировать код</translation>
    </message>
    <message>
        <source>Editing a message: sending makes a branch, the old one stays.</source>
        <translation>Правка сообщения: при отправке появится ветвь, старое останется.</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Отмена</translation>
    </message>
    <message>
        <source>Stop editing</source>
        <translation>Прекратить правку</translation>
    </message>
    <message>
        <source>Attach</source>
        <translation>Вложить</translation>
    </message>
    <message>
        <source>Attach a text file</source>
        <translation>Вложить текстовый файл</translation>
    </message>
    <message>
        <source>Put a text file into the message; it may also be dropped here</source>
        <translation>Добавить текстовый файл в сообщение; его можно и перетащить сюда</translation>
    </message>
    <message>
        <source>A text file</source>
        <translation>Текстовый файл</translation>
    </message>
    <message>
        <source>Send</source>
        <translation>Отправить</translation>
    </message>
    <message>
        <source>Pasted text</source>
        <translation>Вставленный текст</translation>
    </message>
    <message>
        <source>Editing an answer: the model goes on from what you leave here, on a branch; the old answer stays.</source>
        <translation>Правка ответа: модель продолжит с того, что вы оставите, в новой ветви; старый ответ останется.</translation>
    </message>
    <message>
        <source>%1 has %2, more than the %3 of a message.</source>
        <translation>%1: %2, а для сообщения допустимо не больше %3.</translation>
    </message>
    <message>
        <source>%1 is not a text file.</source>
        <translation>%1 — не текстовый файл.</translation>
    </message>
    <message>
        <source>%1, %2</source>
        <translation>%1, %2</translation>
    </message>
    <message>
        <source>Attached: %1. Press to take it away</source>
        <translation>Вложено: %1. Нажмите, чтобы убрать</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Стоп</translation>
    </message>
    <message>
        <source>Stop the answer</source>
        <translation>Остановить ответ</translation>
    </message>
    <message>
        <source>Send the message</source>
        <translation>Отправить сообщение</translation>
    </message>
    <message>
        <source>Stop within one token; what was said is kept (Esc)</source>
        <translation>Остановить в пределах одного токена; сказанное сохранится (Esc)</translation>
    </message>
    <message>
        <source>Send (Enter or Ctrl+Enter; Shift+Enter begins a new line)</source>
        <translation>Отправить (Enter или Ctrl+Enter; Shift+Enter начинает новую строку)</translation>
    </message>
    <message>
        <source>An answer is played again; go back to now to talk</source>
        <translation>Ответ проигрывается ещё раз; вернитесь к настоящему, чтобы говорить</translation>
    </message>
    <message>
        <source>A recording plays here; leave it to talk</source>
        <translation>Здесь идёт запись; выйдите из неё, чтобы говорить</translation>
    </message>
    <message>
        <source>Message: it is answered when the model is loaded</source>
        <translation>Сообщение: ответ будет, когда загрузится модель</translation>
    </message>
    <message>
        <source>Message both sides</source>
        <translation>Сообщение обеим сторонам</translation>
    </message>
    <message>
        <source>Message %1</source>
        <translation>Сообщение для %1</translation>
    </message>
    <message>
        <source>Message: load a model first</source>
        <translation>Сообщение: сначала загрузите модель</translation>
    </message>
    <message>
        <source>Message: the model loads again and answers</source>
        <translation>Сообщение: модель загрузится снова и ответит</translation>
    </message>
    <message>
        <source>Message: the embedded model loads and answers</source>
        <translation>Сообщение: встроенная модель загрузится и ответит</translation>
    </message>
    <message>
        <source>cut %1</source>
        <translation>лишнее: %1</translation>
    </message>
    <message>
        <source>%1 of the context's %2 tokens with this message</source>
        <translation>С этим сообщением занято %1 из %2 токенов контекста</translation>
    </message>
    <message>
        <source>%1: %2 too many, so shorten it, rewind or begin a new chat</source>
        <translation>%1: лишнее — %2, поэтому сократите, вернитесь назад или начните новую беседу</translation>
    </message>
    <message>
        <source>%1: the oldest make room</source>
        <translation>%1: самые старые уступят место</translation>
    </message>
    <message>
        <source>%1: the talk is summed up first</source>
        <translation>%1: сначала беседа будет обобщена</translation>
    </message>
    <message>
        <source>%1; %2 are left for the answer</source>
        <translation>%1; на ответ остаётся %2</translation>
    </message>
    <message>
        <source>Message</source>
        <translation>Сообщение</translation>
    </message>
    <message>
        <source>Enter sends, Shift+Enter begins a new line, Up edits the last message</source>
        <translation>Enter отправляет, Shift+Enter начинает новую строку, стрелка вверх правит последнее сообщение</translation>
    </message>
    <message>
        <source>Search (Ctrl+K)</source>
        <translation>Поиск (Ctrl+K)</translation>
    </message>
    <message>
        <source>Search the conversations</source>
        <translation>Поиск по беседам</translation>
    </message>
    <message>
        <source>New</source>
        <translation>Новая</translation>
    </message>
    <message>
        <source>New chat (Ctrl+N)</source>
        <translation>Новая беседа (Ctrl+N)</translation>
    </message>
    <message>
        <source>Conversations</source>
        <translation>Беседы</translation>
    </message>
    <message>
        <source>off</source>
        <translation>выкл.</translation>
    </message>
    <message>
        <source>Budget of the snapshots</source>
        <translation>Лимит снимков</translation>
    </message>
    <message>
        <source>Memory for frozen states. With more of them, rewinding, branching and switching chats replay fewer tokens</source>
        <translation>Память для застывших состояний. Чем их больше, тем меньше токенов повторяется при возврате, ветвлении и смене беседы</translation>
    </message>
    <message>
        <source>Budget of the states on disk</source>
        <translation>Лимит состояний на диске</translation>
    </message>
    <message>
        <source>Disk for the ends of chats, so that one opens where it stood; the least recently used make room. klp in the terminal uses the same files</source>
        <translation>Место на диске для концов бесед, чтобы беседа открывалась там, где стояла; давно не использованные уступают место. klp в терминале использует те же файлы</translation>
    </message>
    <message>
        <source>New folder</source>
        <translation>Новая папка</translation>
    </message>
    <message>
        <source>New folder %1</source>
        <translation>Новая папка %1</translation>
    </message>
    <message>
        <source>No conversations yet: what you say is kept here.</source>
        <translation>Бесед пока нет: сказанное хранится здесь.</translation>
    </message>
    <message>
        <source>Nothing is found. Words are looked for in titles and in what was said.</source>
        <translation>Ничего не найдено. Поиск идёт по названиям и по сказанному.</translation>
    </message>
    <message>
        <source>No snapshots: a recording</source>
        <translation>Снимков нет: это запись</translation>
    </message>
    <message>
        <source>No snapshots: no model</source>
        <translation>Снимков нет: нет модели</translation>
    </message>
    <message>
        <source>In memory: frozen states of the model's memory: KDA states and convolution tails copied, pages of the MLA cache shared</source>
        <translation>В памяти: застывшие состояния памяти модели. Состояния KDA и хвосты свёрток скопированы, страницы кэша MLA общие</translation>
    </message>
    <message>
        <source>No ends on disk</source>
        <translation>На диске концов нет</translation>
    </message>
    <message>
        <source>The ends of chats on disk, with which one opens where it stood. The last one, %1, took %2</source>
        <translation>Концы бесед на диске, с которыми беседа открывается там, где стояла. Последний, %1, занял %2</translation>
    </message>
    <message>
        <source>The ends of chats on disk, with which one opens where it stood</source>
        <translation>Концы бесед на диске, с которыми беседа открывается там, где стояла</translation>
    </message>
    <message>
        <source>&amp;Rename</source>
        <translation>&amp;Переименовать</translation>
    </message>
    <message>
        <source>&amp;Dissolve the folder (its chats stay)</source>
        <translation>&amp;Убрать папку (беседы останутся)</translation>
    </message>
    <message>
        <source>&amp;Folder</source>
        <translation>&amp;Папка</translation>
    </message>
    <message>
        <source>None</source>
        <translation>Без папки</translation>
    </message>
    <message>
        <source>&amp;New folder</source>
        <translation>&amp;Новая папка</translation>
    </message>
    <message>
        <source>Re&amp;move the chat (its file stays)</source>
        <translation>&amp;Убрать беседу (файл останется)</translation>
    </message>
    <message>
        <source>&amp;Go there</source>
        <translation>П&amp;ерейти туда</translation>
    </message>
    <message>
        <source>Re&amp;move this branch (%1)</source>
        <translation>&amp;Убрать эту ветвь (%1)</translation>
    </message>
    <message>
        <source>You said it</source>
        <translation>Сказали вы</translation>
    </message>
    <message>
        <source>The model said it</source>
        <translation>Сказала модель</translation>
    </message>
    <message>
        <source>branch %1: %2</source>
        <translation>ветвь %1: %2</translation>
    </message>
    <message>
        <source>on branch %1 of %2</source>
        <translation>в ветви %1 из %2</translation>
    </message>
    <message>
        <source>(no text)</source>
        <translation>(без текста)</translation>
    </message>
    <message>
        <source>parts at message %1 of %2</source>
        <translation>расходится на сообщении %1 из %2</translation>
    </message>
    <message>
        <source>d MMMM yyyy, hh:mm</source>
        <comment>date</comment>
        <translation>d MMMM yyyy, hh:mm</translation>
    </message>
    <message>
        <source>Folder, folded: %1</source>
        <translation>Папка, свёрнута: %1</translation>
    </message>
    <message>
        <source>Folder: %1</source>
        <translation>Папка: %1</translation>
    </message>
    <message>
        <source>Chat: %1</source>
        <translation>Беседа: %1</translation>
    </message>
    <message>
        <source>Found: %1</source>
        <translation>Найдено: %1</translation>
    </message>
    <message>
        <source>Branch: %1</source>
        <translation>Ветвь: %1</translation>
    </message>
    <message>
        <source>, open</source>
        <translation>, открыта</translation>
    </message>
    <message>
        <source>Histogram of half-lives</source>
        <translation>Гистограмма периодов полураспада</translation>
    </message>
    <message>
        <source>%1. Median %2 tokens.</source>
        <translation>%1. Медиана %2 токенов.</translation>
    </message>
    <message>
        <source>%1 of %2 heads (%3)</source>
        <translation>%1 из %2 голов (%3)</translation>
    </message>
    <message>
        <source>%1 of %2 channels (%3)</source>
        <translation>%1 из %2 каналов (%3)</translation>
    </message>
    <message>
        <source>half-life ∞ (α = 1): %1</source>
        <translation>период полураспада ∞ (α = 1): %1</translation>
    </message>
    <message>
        <source>up to %1</source>
        <translation>до %1</translation>
    </message>
    <message>
        <source>from %1</source>
        <translation>от %1</translation>
    </message>
    <message>
        <source>%1 to %2</source>
        <translation>от %1 до %2</translation>
    </message>
    <message>
        <source>half-life %1 tokens (%2): %3; %4 %5</source>
        <translation>период полураспада %1 токенов (%2): %3; %4 %5</translation>
    </message>
    <message>
        <source>32k tokens</source>
        <translation>32k токенов</translation>
    </message>
    <message>
        <source>half-lives times</source>
        <translation>периоды полураспада умножить</translation>
    </message>
    <message>
        <source>writing strength β times</source>
        <translation>силу записи β умножить</translation>
    </message>
    <message>
        <source>no writing</source>
        <translation>без записи</translation>
    </message>
    <message>
        <source>no reading of the state</source>
        <translation>без чтения состояния</translation>
    </message>
    <message>
        <source>empty the state</source>
        <translation>опустошить состояние</translation>
    </message>
    <message>
        <source>hide tokens from the caches</source>
        <translation>скрыть токены от кэшей</translation>
    </message>
    <message>
        <source>no reading of the cache</source>
        <translation>без чтения кэша</translation>
    </message>
    <message>
        <source>silence the expert</source>
        <translation>заглушить эксперта</translation>
    </message>
    <message>
        <source>from the first token</source>
        <translation>с первого токена</translation>
    </message>
    <message>
        <source>Answer again so</source>
        <translation>Ответить так заново</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>Отменить</translation>
    </message>
    <message>
        <source>%1, hands on the memory</source>
        <translation>%1, вмешательство в память</translation>
    </message>
    <message>
        <source>%1, what is changed</source>
        <translation>%1, что меняется</translation>
    </message>
    <message>
        <source>%1, of which part</source>
        <translation>%1, в какой части</translation>
    </message>
    <message>
        <source>%1, dial</source>
        <translation>%1, шкала</translation>
    </message>
    <message>
        <source>Four steps are twice as much; × 1 changes nothing</source>
        <translation>Четыре шага — вдвое больше; × 1 ничего не меняет</translation>
    </message>
    <message>
        <source>%1, the whole conversation under it</source>
        <translation>%1, вся беседа под вмешательством</translation>
    </message>
    <message>
        <source>The whole conversation is read again under it; else it begins with the last question</source>
        <translation>Вся беседа читается заново под вмешательством; иначе оно начинается с последнего вопроса</translation>
    </message>
    <message>
        <source>%1, answer again under this hand</source>
        <translation>%1, ответить заново под этим вмешательством</translation>
    </message>
    <message>
        <source>The last question is answered again, from the same memory and with the same seed, on a branch of its own; this answer stays</source>
        <translation>На последний вопрос отвечают снова, от той же памяти и с тем же зерном, на отдельной ветви; этот ответ остаётся</translation>
    </message>
    <message>
        <source>%1, undo the last hand</source>
        <translation>%1, отменить последнее вмешательство</translation>
    </message>
    <message>
        <source>Back to the answer that this one was laid beside; nothing is lost</source>
        <translation>Назад к ответу, рядом с которым дан этот; ничего не теряется</translation>
    </message>
    <message>
        <source>Copy as JSON</source>
        <translation>Скопировать как JSON</translation>
    </message>
    <message>
        <source>%1, copy the hands in force as JSON</source>
        <translation>%1, скопировать действующие вмешательства как JSON</translation>
    </message>
    <message>
        <source>What is in force, as klp chat, run and logits take it with --intervene, and klp serve as "intervene"</source>
        <translation>Действующее — в том виде, в каком его берут klp chat, run и logits с --intervene и klp serve как "intervene"</translation>
    </message>
    <message>
        <source>What is in force is on the clipboard</source>
        <translation>Действующее скопировано в буфер обмена</translation>
    </message>
    <message>
        <source>the channel</source>
        <translation>канал</translation>
    </message>
    <message>
        <source>the head</source>
        <translation>голову</translation>
    </message>
    <message>
        <source>the layer</source>
        <translation>слой</translation>
    </message>
    <message>
        <source>all caches</source>
        <translation>все кэши</translation>
    </message>
    <message>
        <source>all states</source>
        <translation>все состояния</translation>
    </message>
    <message>
        <source>Choose a token, or a stretch of them in the timeline, to hide it from the caches.</source>
        <translation>Выберите токен или отрезок на ленте времени, чтобы скрыть его от кэшей.</translation>
    </message>
    <message>
        <source>This model has no experts.</source>
        <translation>У этой модели нет экспертов.</translation>
    </message>
    <message>
        <source>Click an expert in the map to choose it.</source>
        <translation>Щёлкните по эксперту на карте, чтобы выбрать его.</translation>
    </message>
    <message>
        <source>This model has no latent cache.</source>
        <translation>У этой модели нет латентного кэша.</translation>
    </message>
    <message>
        <source>This model has no states.</source>
        <translation>У этой модели нет состояний.</translation>
    </message>
    <message>
        <source>× %1</source>
        <translation>× %1</translation>
    </message>
    <message>
        <source>In force: %1</source>
        <translation>Действует: %1</translation>
    </message>
    <message>
        <source>Nothing is changed on this branch.</source>
        <translation>На этой ветви ничего не изменено.</translation>
    </message>
    <message>
        <source>%1, layer</source>
        <translation>%1, слой</translation>
    </message>
    <message>
        <source>Layer that keeps a state, counted from 0 as in the checkpoint; the selection follows, and so do the other lenses</source>
        <translation>Слой, хранящий состояние; счёт с 0, как в контрольной точке; выбор следует за ним, как и другие линзы</translation>
    </message>
    <message>
        <source>%1, head</source>
        <translation>%1, голова</translation>
    </message>
    <message>
        <source>Head of this layer</source>
        <translation>Голова этого слоя</translation>
    </message>
    <message>
        <source>Layer %1</source>
        <translation>Слой %1</translation>
    </message>
    <message>
        <source>Head %1</source>
        <translation>Голова %1</translation>
    </message>
    <message>
        <source>Nothing yet.</source>
        <translation>Пока ничего.</translation>
    </message>
    <message>
        <source>Key: %1</source>
        <translation>Обозначения: %1</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>Клавиши</translation>
    </message>
    <message>
        <source>Search</source>
        <translation>Поиск</translation>
    </message>
    <message>
        <source>Search the keys</source>
        <translation>Поиск по клавишам</translation>
    </message>
    <message>
        <source>What</source>
        <translation>Действие</translation>
    </message>
    <message>
        <source>Key</source>
        <translation>Клавиша</translation>
    </message>
    <message>
        <source>In the message box</source>
        <translation>В поле сообщения</translation>
    </message>
    <message>
        <source>Enter</source>
        <translation>Enter</translation>
    </message>
    <message>
        <source>A new line</source>
        <translation>Новая строка</translation>
    </message>
    <message>
        <source>Shift+Enter</source>
        <translation>Shift+Enter</translation>
    </message>
    <message>
        <source>Edit the last message, when the box is empty</source>
        <translation>Править последнее сообщение, если поле пусто</translation>
    </message>
    <message>
        <source>Up</source>
        <translation>Вверх</translation>
    </message>
    <message>
        <source>Give up editing</source>
        <translation>Прекратить правку</translation>
    </message>
    <message>
        <source>Esc</source>
        <translation>Esc</translation>
    </message>
    <message>
        <source>On a message</source>
        <translation>На сообщении</translation>
    </message>
    <message>
        <source>What can be done with it</source>
        <translation>Что с ним можно сделать</translation>
    </message>
    <message>
        <source>Enter or Space</source>
        <translation>Enter или пробел</translation>
    </message>
    <message>
        <source>Copy it</source>
        <translation>Скопировать его</translation>
    </message>
    <message>
        <source>Ctrl+C</source>
        <translation>Ctrl+C</translation>
    </message>
    <message>
        <source>In the list of conversations</source>
        <translation>В списке бесед</translation>
    </message>
    <message>
        <source>From the search box into the list</source>
        <translation>Из поля поиска в список</translation>
    </message>
    <message>
        <source>Down</source>
        <translation>Вниз</translation>
    </message>
    <message>
        <source>Open the first that was found</source>
        <translation>Открыть первую найденную</translation>
    </message>
    <message>
        <source>Open what is chosen</source>
        <translation>Открыть выбранную</translation>
    </message>
    <message>
        <source>Rename</source>
        <translation>Переименовать</translation>
    </message>
    <message>
        <source>F2</source>
        <translation>F2</translation>
    </message>
    <message>
        <source>Remove the chat or the branch; it can be brought back</source>
        <translation>Убрать беседу или ветвь; её можно вернуть</translation>
    </message>
    <message>
        <source>Delete</source>
        <comment>key</comment>
        <translation>Delete</translation>
    </message>
    <message>
        <source>On a picture</source>
        <translation>На картинке</translation>
    </message>
    <message>
        <source>Go through its cells</source>
        <translation>Переходить по ячейкам</translation>
    </message>
    <message>
        <source>Arrow keys</source>
        <translation>Стрелки</translation>
    </message>
    <message>
        <source>Choose the cell</source>
        <translation>Выбрать ячейку</translation>
    </message>
    <message>
        <source>Task</source>
        <translation>Задача</translation>
    </message>
    <message>
        <source>Tokens of a row</source>
        <translation>Токенов в строке</translation>
    </message>
    <message>
        <source>Stacks</source>
        <translation>Стеки</translation>
    </message>
    <message>
        <source>Different tokens</source>
        <translation>Разных токенов</translation>
    </message>
    <message>
        <source>Layers</source>
        <translation>Слои</translation>
    </message>
    <message>
        <source>Heads</source>
        <translation>Головы</translation>
    </message>
    <message>
        <source>Width</source>
        <translation>Ширина</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>Шаги</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>Зерно</translation>
    </message>
    <message>
        <source>Try three learning rates first</source>
        <translation>Сначала испытать три скорости</translation>
    </message>
    <message>
        <source>Each mixer gets the rate that a short search finds for it; without that a comparison is of rates</source>
        <translation>Каждый смеситель получает скорость обучения, которую для него находит короткий поиск; без этого сравнивались бы скорости</translation>
    </message>
    <message>
        <source>Who learns</source>
        <translation>Кто учится</translation>
    </message>
    <message>
        <source>With something left out, or otherwise</source>
        <translation>Без чего-то или иначе</translation>
    </message>
    <message>
        <source>such as %1</source>
        <translation>например %1</translation>
    </message>
    <message>
        <source>Others, by their names</source>
        <translation>Другие, по именам</translation>
    </message>
    <message>
        <source>A rule, and behind + what is otherwise: swish, no-gate, no-conv, 3:1 (three layers with a state for one of attention), rope, nope</source>
        <translation>Правило, а после + отличия: swish, no-gate, no-conv, 3:1 (три слоя с состоянием на один слой внимания), rope, nope</translation>
    </message>
    <message>
        <source>Lab: rules of memory that learn</source>
        <translation>Лаборатория: правила памяти учатся</translation>
    </message>
    <message>
        <source>Curves by</source>
        <translation>Кривые по</translation>
    </message>
    <message>
        <source>by step</source>
        <translation>по шагам</translation>
    </message>
    <message>
        <source>by second</source>
        <translation>по секундам</translation>
    </message>
    <message>
        <source>Steps compare what is learned of the same rows, seconds what it costs: those of each learner's own steps</source>
        <translation>Шаги сравнивают, чему учатся на одних и тех же строках, секунды — во что это обходится: время собственных шагов каждого</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>Старт</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Пауза</translation>
    </message>
    <message>
        <source>Learn on</source>
        <translation>Учить дальше</translation>
    </message>
    <message>
        <source>So many steps more of each, with rates that rise and fall anew</source>
        <translation>Ещё столько шагов каждому; скорость обучения снова растёт и падает</translation>
    </message>
    <message>
        <source>Steps more</source>
        <translation>Ещё шагов</translation>
    </message>
    <message>
        <source>Answers that are right</source>
        <translation>Верные ответы</translation>
    </message>
    <message>
        <source>Loss</source>
        <translation>Потери</translation>
    </message>
    <message>
        <source>Half-lives of gates</source>
        <translation>Периоды полураспада вентилей</translation>
    </message>
    <message>
        <source>Learners</source>
        <translation>Ученики</translation>
    </message>
    <message>
        <source>Open it</source>
        <translation>Открыть</translation>
    </message>
    <message>
        <source>The chosen learner becomes the model of the window: it can be asked, and every lens looks into it</source>
        <translation>Выбранный ученик становится моделью окна: его можно спрашивать, и каждая панель в него смотрит</translation>
    </message>
    <message>
        <source>Save…</source>
        <translation>Сохранить…</translation>
    </message>
    <message>
        <source>All numbers, as klp lab -o writes them</source>
        <translation>Все числа, как их пишет klp lab -o</translation>
    </message>
    <message>
        <source>Lay beside…</source>
        <translation>Положить рядом…</translation>
    </message>
    <message>
        <source>The curves of a saved run, dashed</source>
        <translation>Кривые сохранённого опыта, пунктиром</translation>
    </message>
    <message>
        <source>A result of klp lab</source>
        <translation>Результат klp lab</translation>
    </message>
    <message>
        <source>Results of the lab (*.json)</source>
        <translation>Результаты лаборатории (*.json)</translation>
    </message>
    <message>
        <source>Choose a task and who is to learn it, and press Start. All learn from the same rows, in turns, step by step.</source>
        <translation>Выберите задачу и тех, кто будет её учить, и нажмите «Старт». Все учатся на одних и тех же строках, по очереди, шаг за шагом.</translation>
    </message>
    <message>
        <source>%1 stopped: %2</source>
        <translation>%1: остановка, %2</translation>
    </message>
    <message>
        <source>%1 of %2 steps</source>
        <translation>%1 из %2 шагов</translation>
    </message>
    <message>
        <source>%1. Paused at %2; a learner can be opened as it is now.</source>
        <translation>%1. Пауза: %2; ученика можно открыть таким, какой он сейчас.</translation>
    </message>
    <message>
        <source>%1. Learning rates are tried: %2.</source>
        <translation>%1. Испытываются скорости обучения: %2.</translation>
    </message>
    <message>
        <source>%1. They learn: %2.</source>
        <translation>%1. Идёт обучение: %2.</translation>
    </message>
    <message>
        <source>%1. Stopped before anything was learned.</source>
        <translation>%1. Остановлено прежде, чем что-либо было выучено.</translation>
    </message>
    <message>
        <source>%1. After %2, %3 of the answers of %4 are right.</source>
        <translation>%1. Через %2 верны %3 ответов %4.</translation>
    </message>
    <message>
        <source>%1. After %2, %3 of the answers of %4 are right, and %5 of those of %6.</source>
        <translation>%1. Через %2 верны %3 ответов %4 и %5 ответов %6.</translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>Продолжить</translation>
    </message>
    <message>
        <source>seconds of its own steps</source>
        <translation>секунды собственных шагов</translation>
    </message>
    <message>
        <source>steps</source>
        <translation>шаги</translation>
    </message>
    <message>
        <source>loss, nats an answer</source>
        <translation>потери, наты на ответ</translation>
    </message>
    <message>
        <source>answers that are right</source>
        <translation>верные ответы</translation>
    </message>
    <message>
        <source>%1, recorded</source>
        <translation>%1, запись</translation>
    </message>
    <message>
        <source>chance</source>
        <translation>наугад</translation>
    </message>
    <message>
        <source>Curves begin when the rates are found.</source>
        <translation>Кривые начнутся, когда найдены скорости.</translation>
    </message>
    <message>
        <source>10 % are shorter</source>
        <translation>10 % короче</translation>
    </message>
    <message>
        <source>median</source>
        <translation>медиана</translation>
    </message>
    <message>
        <source>10 % are longer</source>
        <translation>10 % длиннее</translation>
    </message>
    <message>
        <source>half-lives of %1, tokens</source>
        <translation>периоды полураспада %1, токены</translation>
    </message>
    <message>
        <source>half-lives of gates, tokens</source>
        <translation>периоды полураспада вентилей, токены</translation>
    </message>
    <message>
        <source>%1 has no gates: its memory does not fade by itself.</source>
        <translation>У %1 нет вентилей: память сама не тускнеет.</translation>
    </message>
    <message>
        <source>Save the numbers</source>
        <translation>Сохранить числа</translation>
    </message>
    <message>
        <source>Saved: %1</source>
        <translation>Сохранено: %1</translation>
    </message>
    <message>
        <source>%1 could not be written: %2</source>
        <translation>Не удалось записать %1: %2</translation>
    </message>
    <message>
        <source>%1 could not be read: %2</source>
        <translation>Не удалось прочитать %1: %2</translation>
    </message>
    <message>
        <source>Dashed: %1, seed %2, width %3, from %4</source>
        <translation>Пунктир: %1, зерно %2, ширина %3, из %4</translation>
    </message>
    <message numerus="yes">
        <source>%Ln word(s)</source>
        <translation>
            <numerusform>%Ln слово</numerusform>
            <numerusform>%Ln слова</numerusform>
            <numerusform>%Ln слов</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln turn(s)</source>
        <translation>
            <numerusform>%Ln ход</numerusform>
            <numerusform>%Ln хода</numerusform>
            <numerusform>%Ln ходов</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln message(s) (is|are) hidden.</source>
        <translation>
            <numerusform>Скрыто: %Ln сообщение.</numerusform>
            <numerusform>Скрыто: %Ln сообщения.</numerusform>
            <numerusform>Скрыто: %Ln сообщений.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln snapshot(s)</source>
        <translation>
            <numerusform>%Ln снимок</numerusform>
            <numerusform>%Ln снимка</numerusform>
            <numerusform>%Ln снимков</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln end(s) on disk</source>
        <translation>
            <numerusform>%Ln конец на диске</numerusform>
            <numerusform>%Ln конца на диске</numerusform>
            <numerusform>%Ln концов на диске</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln message(s)</source>
        <translation>
            <numerusform>%Ln сообщение</numerusform>
            <numerusform>%Ln сообщения</numerusform>
            <numerusform>%Ln сообщений</numerusform>
        </translation>
    </message>
    <message>
        <source>d MMM</source>
        <comment>date</comment>
        <translation>d MMM</translation>
    </message>
    <message>
        <source>MMM yyyy</source>
        <comment>date</comment>
        <translation>MMM yyyy</translation>
    </message>
    <message numerus="yes">
        <source>%Ln chat(s)</source>
        <translation>
            <numerusform>%Ln беседа</numerusform>
            <numerusform>%Ln беседы</numerusform>
            <numerusform>%Ln бесед</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln message(s) follow(s|) on a branch.  Go ahead</source>
        <translation>
            <numerusform>Дальше в ветви %Ln сообщение.  Вперёд</numerusform>
            <numerusform>Дальше в ветви %Ln сообщения.  Вперёд</numerusform>
            <numerusform>Дальше в ветви %Ln сообщений.  Вперёд</numerusform>
        </translation>
    </message>
    <message>
        <source>%1 (changed)</source>
        <translation>%1 (изменён)</translation>
    </message>
    <message numerus="yes">
        <source>Not known of %Ln of %1 token(s)</source>
        <translation>
            <numerusform>Не известно для %Ln из %1 токена</numerusform>
            <numerusform>Не известно для %Ln из %1 токенов</numerusform>
            <numerusform>Не известно для %Ln из %1 токенов</numerusform>
        </translation>
    </message>
    <message>
        <source>n/a</source>
        <translation>нет</translation>
    </message>
    <message numerus="yes">
        <source>%Ln token(s)</source>
        <translation>
            <numerusform>%Ln токен</numerusform>
            <numerusform>%Ln токена</numerusform>
            <numerusform>%Ln токенов</numerusform>
        </translation>
    </message>
    <message>
        <source>%1 %2</source>
        <comment>two sentences</comment>
        <translation>%1 %2</translation>
    </message>
    <message>
        <source>rows of %1</source>
        <translation>строки длиной %1</translation>
    </message>
    <message>
        <source>endless</source>
        <translation>бесконечно</translation>
    </message>
    <message>
        <source>It has not begun to learn.</source>
        <translation>Обучение ещё не началось.</translation>
    </message>
    <message numerus="yes">
        <source>and %Ln other(s): klp models lists them all</source>
        <translation>
            <numerusform>и ещё %Ln: klp models перечислит все</numerusform>
            <numerusform>и ещё %Ln: klp models перечислит все</numerusform>
            <numerusform>и ещё %Ln: klp models перечислит все</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln core(s)</source>
        <translation>
            <numerusform>%Ln ядро</numerusform>
            <numerusform>%Ln ядра</numerusform>
            <numerusform>%Ln ядер</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln branch(es) begin here</source>
        <translation>
            <numerusform>Здесь начинается %Ln ветвь</numerusform>
            <numerusform>Здесь начинаются %Ln ветви</numerusform>
            <numerusform>Здесь начинается %Ln ветвей</numerusform>
        </translation>
    </message>
    <message>
        <source>more</source>
        <comment>time</comment>
        <translation>больше</translation>
    </message>
    <message numerus="yes">
        <source>%Ln reading(s) dropped</source>
        <translation>
            <numerusform>пропущено %Ln показание</numerusform>
            <numerusform>пропущено %Ln показания</numerusform>
            <numerusform>пропущено %Ln показаний</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln pick(s)</source>
        <translation>
            <numerusform>%Ln выбор</numerusform>
            <numerusform>%Ln выбора</numerusform>
            <numerusform>%Ln выборов</numerusform>
        </translation>
    </message>
    <message>
        <source>syllable</source>
        <translation>слог</translation>
    </message>
    <message>
        <source>phrase</source>
        <translation>фраза</translation>
    </message>
    <message>
        <source>sentence</source>
        <translation>предложение</translation>
    </message>
    <message>
        <source>paragraph</source>
        <translation>абзац</translation>
    </message>
    <message>
        <source>page</source>
        <translation>страница</translation>
    </message>
    <message>
        <source>document</source>
        <translation>документ</translation>
    </message>
    <message>
        <source>tokens</source>
        <translation>токены</translation>
    </message>
    <message>
        <source>softplus, unbounded below</source>
        <translation>softplus, снизу не ограничено</translation>
    </message>
    <message>
        <source>sigmoid, g &gt; %1</source>
        <translation>sigmoid, g &gt; %1</translation>
    </message>
    <message>
        <source>g = %1 · sigmoid(e&lt;sup&gt;A&lt;/sup&gt; · (x + dt)), half-lives above %2 tokens</source>
        <translation>g = %1 · sigmoid(e&lt;sup&gt;A&lt;/sup&gt; · (x + dt)), периоды полураспада больше %2 токенов</translation>
    </message>
    <message>
        <source>token %1</source>
        <translation>токен %1</translation>
    </message>
    <message>
        <source>%1 “%2”</source>
        <translation>%1 «%2»</translation>
    </message>
    <message numerus="yes">
        <source>%Ln choice(s)</source>
        <translation>
            <numerusform>%Ln выбор</numerusform>
            <numerusform>%Ln выбора</numerusform>
            <numerusform>%Ln выборов</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln layer(s)</source>
        <translation>
            <numerusform>%Ln слой</numerusform>
            <numerusform>%Ln слоя</numerusform>
            <numerusform>%Ln слоёв</numerusform>
        </translation>
    </message>
    <message>
        <source>State (%1), layer %2, head %3</source>
        <translation>Состояние (%1), слой %2, голова %3</translation>
    </message>
    <message>
        <source>Cache (%1), layer %2, head %3</source>
        <translation>Кэш (%1), слой %2, голова %3</translation>
    </message>
    <message numerus="yes">
        <source>%Ln number(s)</source>
        <translation>
            <numerusform>%Ln число</numerusform>
            <numerusform>%Ln числа</numerusform>
            <numerusform>%Ln чисел</numerusform>
        </translation>
    </message>
    <message>
        <source>%1 (%2)</source>
        <translation>%1 (%2)</translation>
    </message>
    <message numerus="yes">
        <source>%Ln direction(s)</source>
        <translation>
            <numerusform>%Ln направление</numerusform>
            <numerusform>%Ln направления</numerusform>
            <numerusform>%Ln направлений</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln expert(s)</source>
        <translation>
            <numerusform>%Ln эксперт</numerusform>
            <numerusform>%Ln эксперта</numerusform>
            <numerusform>%Ln экспертов</numerusform>
        </translation>
    </message>
    <message>
        <source>less than %1</source>
        <translation>меньше %1</translation>
    </message>
    <message>
        <source>more than %1</source>
        <translation>больше %1</translation>
    </message>
    <message numerus="yes">
        <source>%Ln head(s)</source>
        <translation>
            <numerusform>%Ln голова</numerusform>
            <numerusform>%Ln головы</numerusform>
            <numerusform>%Ln голов</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln channel(s)</source>
        <translation>
            <numerusform>%Ln канал</numerusform>
            <numerusform>%Ln канала</numerusform>
            <numerusform>%Ln каналов</numerusform>
        </translation>
    </message>
    <message>
        <source>full attention</source>
        <translation>полное внимание</translation>
    </message>
    <message>
        <source>linear attention</source>
        <translation>линейное внимание</translation>
    </message>
    <message>
        <source>decay per head</source>
        <translation>затухание по головам</translation>
    </message>
    <message>
        <source>Nothing has been fed after %1: no decay has touched it yet.</source>
        <translation>Дальше ничего не подано: затухание ещё не коснулось (%1).</translation>
    </message>
    <message>
        <source>None of %1 would still hold half of %2, %3 back. The one that keeps it best, in layer %4, head %5, holds %6.</source>
        <translation>Всего %1, и ни один не удержал бы половину: %2, %3 назад. Лучше всех хранит канал слоя %4, головы %5: осталось %6.</translation>
    </message>
    <message>
        <source>All %1 would still hold half of %2, %3 back, or more.</source>
        <translation>Всего %1, и каждый удержал бы половину или больше: %2, %3 назад.</translation>
    </message>
    <message>
        <source>Of %1, %2 would still hold half of %3, %4 back.</source>
        <translation>Всего %1, из них %2 ещё удержали бы половину: %3, %4 назад.</translation>
    </message>
    <message>
        <source>Of %1, %2 would still hold half of %3, %4 back; all of them are in layer %5.</source>
        <translation>Всего %1, из них %2 ещё удержали бы половину: %3, %4 назад; все они в слое %5.</translation>
    </message>
    <message>
        <source>Of %1, %2 would still hold half of %3, %4 back; most are in layer %5.</source>
        <translation>Всего %1, из них %2 ещё удержали бы половину: %3, %4 назад; большинство в слое %5.</translation>
    </message>
    <message>
        <source>Of %1, %2 would still hold half of %3, %4 back; layer %5 has most of them, %6.</source>
        <translation>Всего %1, из них %2 ещё удержали бы половину: %3, %4 назад; больше всего в слое %5: %6.</translation>
    </message>
    <message>
        <source>The gates of %1 leave most of %2 as they were.</source>
        <translation>%1: вентили оставили большинство каналов как были (всего %2).</translation>
    </message>
    <message>
        <source>At %1 half of %2 have a half-life below %3 tokens.</source>
        <translation>%1: у половины каналов (всего %2) период полураспада меньше %3 токенов.</translation>
    </message>
    <message>
        <source>layer %1, head %2</source>
        <translation>слой %1, голова %2</translation>
    </message>
    <message>
        <source>Layer %1, head %2</source>
        <translation>Слой %1, голова %2</translation>
    </message>
    <message>
        <source>From %1 to %2 the state of %3 did not change.</source>
        <translation>От %1 до %2 состояние не изменилось: %3.</translation>
    </message>
    <message>
        <source>From %1 to %2 the state of %3 changed by %4 of its size, along about %5 of %6.</source>
        <translation>От %1 до %2 состояние (%3) изменилось на %4 своей величины, примерно по %5 из возможных (%6).</translation>
    </message>
    <message>
        <source>The state of %1 is empty: nothing has been written into it yet.</source>
        <translation>Состояние пусто: %1, в него ещё ничего не записано.</translation>
    </message>
    <message>
        <source>%1 uses about %2 of its %3 after %4, the nearest that was recorded to %5.</source>
        <translation>%1 (%4, ближайшее в записи к: %5): используется около %2 из возможных (%3).</translation>
    </message>
    <message>
        <source>%1 uses about %2 of its %3 after %4.</source>
        <translation>%1 (%4): используется около %2 из возможных (%3).</translation>
    </message>
    <message>
        <source>%1 uses about %2 of its %3; %4 rewrote %5 of it.</source>
        <translation>%1: используется около %2 из возможных (%3); %4 переписал %5.</translation>
    </message>
    <message>
        <source>this very token</source>
        <translation>этот самый токен</translation>
    </message>
    <message>
        <source>%1, %2 back</source>
        <translation>%1, %2 назад</translation>
    </message>
    <message>
        <source>Reading at %1: the cache takes %2 from %3; the state takes most from %4.</source>
        <translation>Чтение (%1): кэш берёт %2 отсюда: %3; состояние больше всего отсюда: %4.</translation>
    </message>
    <message>
        <source>Reading at %1: the cache takes %2 from %3.</source>
        <translation>Чтение (%1): кэш берёт %2 отсюда: %3.</translation>
    </message>
    <message>
        <source>Reading at %1: the state takes most from %2.</source>
        <translation>Чтение (%1): состояние больше всего отсюда: %2.</translation>
    </message>
    <message>
        <source>%1 is the last token: nothing has become of it yet.</source>
        <translation>%1 — последний токен: с ним ещё ничего не произошло.</translation>
    </message>
    <message>
        <source>%1 later no state holds %2 any more; decay alone would have left %3 in %4.</source>
        <translation>%1 спустя ни одно состояние уже не хранит: %2; одно затухание оставило бы %3 (%4).</translation>
    </message>
    <message>
        <source>%1 later the state of %2 holds %3 of %4; decay alone would have left %5.</source>
        <translation>%1 спустя состояние (%2) хранит %3 от: %4; одно затухание оставило бы %5.</translation>
    </message>
    <message>
        <source>An answer since then gave it %1.</source>
        <translation>С тех пор один ответ дал ему %1.</translation>
    </message>
    <message>
        <source>the cache of layer %1, head %2</source>
        <translation>кэш слоя %1, головы %2</translation>
    </message>
    <message>
        <source>the state of layer %1, head %2</source>
        <translation>состояние слоя %1, головы %2</translation>
    </message>
    <message>
        <source>At %1 %2 reads most of %3: it is %4 of what this head reads.</source>
        <translation>На %1 больше всех читает %2: %3 — это %4 того, что читает эта голова.</translation>
    </message>
    <message numerus="yes">
        <source>To %Ln of %1 heads it is half or more.</source>
        <translation>
            <numerusform>Для %Ln головы из %1 это половина или больше.</numerusform>
            <numerusform>Для %Ln голов из %1 это половина или больше.</numerusform>
            <numerusform>Для %Ln голов из %1 это половина или больше.</numerusform>
        </translation>
    </message>
    <message>
        <source>Over the %1 chosen, expert %2 of layer %3 was picked %4 times as often as an even share</source>
        <translation>По выбранному (%1): эксперт %2 слоя %3 выбирался в %4 раза чаще равной доли</translation>
    </message>
    <message>
        <source>Over the last %1, expert %2 of layer %3 was picked %4 times as often as an even share</source>
        <translation>Последние токены (%1): эксперт %2 слоя %3 выбирался в %4 раза чаще равной доли</translation>
    </message>
    <message>
        <source>each of the %1 was picked at least once</source>
        <translation>все (%1) выбраны хотя бы раз</translation>
    </message>
    <message numerus="yes">
        <source>%Ln of %1 (was|were) never picked</source>
        <translation>
            <numerusform>ни разу не выбран: %Ln, всего %1</numerusform>
            <numerusform>ни разу не выбраны: %Ln, всего %1</numerusform>
            <numerusform>ни разу не выбраны: %Ln, всего %1</numerusform>
        </translation>
    </message>
    <message>
        <source>%1; %2.</source>
        <translation>%1; %2.</translation>
    </message>
    <message>
        <source>its same-shapes twin</source>
        <translation>её двойник той же формы</translation>
    </message>
    <message>
        <source>multi-head attention</source>
        <translation>многоголовое внимание</translation>
    </message>
    <message>
        <source>At %1 of context this model made %2 tokens/s, its %3 %4: %5 times as fast, with %6 of the memory.</source>
        <translation>При контексте в %1 эта модель создавала %2 токенов/с, её %3 — %4: в %5 раза быстрее, память — %6.</translation>
    </message>
    <message>
        <source>At %1 of context this model made %2 tokens/s, its %3 %4: %5 times as slow, with %6 of the memory.</source>
        <translation>При контексте в %1 эта модель создавала %2 токенов/с, её %3 — %4: в %5 раза медленнее, память — %6.</translation>
    </message>
    <message>
        <source>%1 times</source>
        <translation>%1 раз</translation>
    </message>
    <message>
        <source>%1 was the first choice, with %2.</source>
        <translation>%1: первый выбор, %2.</translation>
    </message>
    <message>
        <source>%1 was the first choice, with %2; next came %3 with %4.</source>
        <translation>%1: первый выбор, %2; следующий — %3, %4.</translation>
    </message>
    <message>
        <source>%1 was drawn as choice %2, with %3.</source>
        <translation>%1: выпал %2-й вариант, %3.</translation>
    </message>
    <message>
        <source>%1 was drawn as choice %2, with %3; the first was %4 with %5.</source>
        <translation>%1: выпал %2-й вариант, %3; первым был %4, %5.</translation>
    </message>
    <message>
        <source>The model was sure.</source>
        <translation>Модель была уверена.</translation>
    </message>
    <message>
        <source>The model was as unsure as between %1 equal choices.</source>
        <translation>Модель сомневалась, как между равными вариантами: %1.</translation>
    </message>
    <message>
        <source>layer %1</source>
        <translation>слой %1</translation>
    </message>
    <message>
        <source>layers %1</source>
        <translation>слои %1</translation>
    </message>
    <message>
        <source>head %1</source>
        <translation>голова %1</translation>
    </message>
    <message>
        <source>heads %1</source>
        <translation>головы %1</translation>
    </message>
    <message>
        <source>channel %1</source>
        <translation>канал %1</translation>
    </message>
    <message>
        <source>channels %1</source>
        <translation>каналы %1</translation>
    </message>
    <message>
        <source>every layer</source>
        <translation>все слои</translation>
    </message>
    <message>
        <source>half-lives × %1 in %2</source>
        <translation>периоды полураспада × %1: %2</translation>
    </message>
    <message>
        <source>nothing is written in %1</source>
        <translation>ничего не пишется: %1</translation>
    </message>
    <message>
        <source>writing strength β × %1 in %2</source>
        <translation>сила записи β × %1: %2</translation>
    </message>
    <message>
        <source>nothing is read in %1</source>
        <translation>ничего не читается: %1</translation>
    </message>
    <message>
        <source>what is read × %1 in %2</source>
        <translation>прочитанное × %1: %2</translation>
    </message>
    <message>
        <source>expert %1 silenced in %2</source>
        <translation>эксперт %1 заглушён: %2</translation>
    </message>
    <message>
        <source>experts %1 silenced in %2</source>
        <translation>эксперты %1 заглушены: %2</translation>
    </message>
    <message>
        <source>state emptied in %1</source>
        <translation>состояние опустошено: %1</translation>
    </message>
    <message>
        <source>another state put into %1</source>
        <translation>вложено другое состояние: %1</translation>
    </message>
    <message>
        <source>one key erased in %1</source>
        <translation>один ключ стёрт: %1</translation>
    </message>
    <message>
        <source>one key overwritten in %1</source>
        <translation>один ключ переписан: %1</translation>
    </message>
    <message>
        <source>tokens %1 to %2 hidden from the caches of %3</source>
        <translation>токены с %1 по %2 скрыты от кэшей: %3</translation>
    </message>
    <message>
        <source>in front of token %1</source>
        <translation>перед токеном %1</translation>
    </message>
    <message>
        <source>from token %1 on</source>
        <translation>начиная с токена %1</translation>
    </message>
    <message>
        <source>tokens %1 to %2</source>
        <translation>токены с %1 по %2</translation>
    </message>
    <message>
        <source>up to token %1</source>
        <translation>до токена %1</translation>
    </message>
    <message>
        <source>%1, %2 to %3</source>
        <translation>%1, от %2 до %3</translation>
    </message>
    <message>
        <source>no time was measured here</source>
        <translation>время здесь не измерялось</translation>
    </message>
    <message>
        <source>made in %1</source>
        <translation>создано за %1</translation>
    </message>
    <message>
        <source>%1 of them made in %2</source>
        <translation>%1 из них созданы за %2</translation>
    </message>
    <message>
        <source>mean %1</source>
        <translation>в среднем %1</translation>
    </message>
    <message>
        <source>worst %1, token %2</source>
        <translation>худший %1, токен %2</translation>
    </message>
    <message>
        <source>Layers from bottom to top</source>
        <translation>Слои снизу вверх</translation>
    </message>
    <message>
        <source>Mixer</source>
        <translation>Смешивание</translation>
    </message>
    <message>
        <source>Feed-forward</source>
        <translation>Прямая часть</translation>
    </message>
    <message>
        <source>Weights a token reads</source>
        <translation>Веса на токен</translation>
    </message>
    <message>
        <source>Remembers</source>
        <translation>Помнит</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>&amp;Файл</translation>
    </message>
    <message>
        <source>&amp;Chat</source>
        <translation>&amp;Беседа</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>&amp;Вид</translation>
    </message>
    <message>
        <source>Ca&amp;pture</source>
        <translation>&amp;Запись</translation>
    </message>
    <message>
        <source>&amp;Run</source>
        <translation>За&amp;пуск</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>&amp;Справка</translation>
    </message>
    <message>
        <source>Load the embedded demo model</source>
        <translation>Загрузить встроенную демомодель</translation>
    </message>
    <message>
        <source>Open a model folder…</source>
        <translation>Открыть папку модели…</translation>
    </message>
    <message>
        <source>A folder with config.json and safetensors</source>
        <translation>Папка с config.json и safetensors</translation>
    </message>
    <message>
        <source>Open a GGUF file…</source>
        <translation>Открыть файл GGUF…</translation>
    </message>
    <message>
        <source>A model in one file, or the first of its parts</source>
        <translation>Модель в одном файле или первая из её частей</translation>
    </message>
    <message>
        <source>GGUF models (*.gguf)</source>
        <translation>Модели GGUF (*.gguf)</translation>
    </message>
    <message>
        <source>Pull a model…</source>
        <translation>Скачать модель…</translation>
    </message>
    <message>
        <source>Engine elsewhere…</source>
        <translation>Движок в другом месте…</translation>
    </message>
    <message>
        <source>Unload the model</source>
        <translation>Выгрузить модель</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>Выход</translation>
    </message>
    <message>
        <source>Layouts</source>
        <translation>Раскладки</translation>
    </message>
    <message>
        <source>Explore (default)</source>
        <translation>Исследование (обычная)</translation>
    </message>
    <message>
        <source>Chat only</source>
        <translation>Только беседа</translation>
    </message>
    <message>
        <source>Monitor</source>
        <translation>Монитор</translation>
    </message>
    <message>
        <source>Present</source>
        <translation>Показ</translation>
    </message>
    <message>
        <source>Two lenses, State beside the others</source>
        <translation>Две панели: «Состояние» рядом с остальными</translation>
    </message>
    <message>
        <source>Text size</source>
        <translation>Размер текста</translation>
    </message>
    <message>
        <source>Larger</source>
        <translation>Крупнее</translation>
    </message>
    <message>
        <source>Smaller</source>
        <translation>Мельче</translation>
    </message>
    <message>
        <source>As usual</source>
        <translation>Обычный</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>Тема</translation>
    </message>
    <message>
        <source>System</source>
        <comment>theme</comment>
        <translation>Как в системе</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Светлая</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Тёмная</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Язык (Language)</translation>
    </message>
    <message>
        <source>System</source>
        <comment>language</comment>
        <translation>Как в системе</translation>
    </message>
    <message>
        <source>The window speaks this language from its next start on.</source>
        <translation>Окно заговорит на этом языке при следующем запуске.</translation>
    </message>
    <message>
        <source>Freeze views</source>
        <translation>Стоп-кадр</translation>
    </message>
    <message>
        <source>Previous token</source>
        <translation>Предыдущий токен</translation>
    </message>
    <message>
        <source>Next token</source>
        <translation>Следующий токен</translation>
    </message>
    <message>
        <source>Follow the newest token</source>
        <translation>Следить за новым токеном</translation>
    </message>
    <message>
        <source>Previous head</source>
        <translation>Предыдущая голова</translation>
    </message>
    <message>
        <source>Next head</source>
        <translation>Следующая голова</translation>
    </message>
    <message>
        <source>Previous layer</source>
        <translation>Предыдущий слой</translation>
    </message>
    <message>
        <source>Next layer</source>
        <translation>Следующий слой</translation>
    </message>
    <message>
        <source>Next part of the window</source>
        <translation>Следующая часть окна</translation>
    </message>
    <message>
        <source>Previous part of the window</source>
        <translation>Предыдущая часть окна</translation>
    </message>
    <message>
        <source>Race against the full-attention twin</source>
        <translation>Гонка с двойником полного внимания</translation>
    </message>
    <message>
        <source>Lab: rules of memory that learn…</source>
        <translation>Лаборатория: правила памяти учатся…</translation>
    </message>
    <message>
        <source>About</source>
        <translation>О программе</translation>
    </message>
    <message>
        <source>Kimi Linear Playground %1: a Kimi Linear model and its memory at work.</source>
        <translation>Kimi Linear Playground %1: модель Kimi Linear и её память за работой.</translation>
    </message>
    <message>
        <source>Our code is MIT; this program links Qt Charts and is therefore distributed under GPL-3.0-or-later.</source>
        <translation>Наш код — MIT; программа связана с Qt Charts и поэтому распространяется по GPL-3.0-or-later.</translation>
    </message>
    <message>
        <source>Compare with</source>
        <translation>Сравнить с</translation>
    </message>
    <message>
        <source>Compare: both</source>
        <translation>Сравнение: оба</translation>
    </message>
    <message>
        <source>Memory against both, speed against the twin</source>
        <translation>Память — с обоими, скорость — с двойником</translation>
    </message>
    <message>
        <source>Compare: twin</source>
        <translation>Сравнение: двойник</translation>
    </message>
    <message>
        <source>The same model with attention in every layer</source>
        <translation>Та же модель с вниманием в каждом слое</translation>
    </message>
    <message>
        <source>Compare: multi-head</source>
        <translation>Сравнение: многоголовое</translation>
    </message>
    <message>
        <source>Keys and values of every head and layer are kept; its memory is computed, no engine here runs it</source>
        <translation>Хранятся ключи и значения всех голов и слоёв; память вычислена, здесь его никто не запускает</translation>
    </message>
    <message>
        <source>Compare: nothing</source>
        <translation>Сравнение: нет</translation>
    </message>
    <message>
        <source>This model alone</source>
        <translation>Только эта модель</translation>
    </message>
    <message>
        <source>Multi-head attention and the same-shapes twin; races: the trained twin</source>
        <translation>Многоголовое внимание и двойник той же формы; в гонке — обученный двойник</translation>
    </message>
    <message>
        <source>Multi-head attention and the same-shapes twin</source>
        <translation>Многоголовое внимание и двойник той же формы</translation>
    </message>
    <message>
        <source>The same-shapes twin; races: the trained twin</source>
        <translation>Двойник той же формы; в гонке — обученный двойник</translation>
    </message>
    <message>
        <source>The same-shapes twin</source>
        <translation>Двойник той же формы</translation>
    </message>
    <message>
        <source>Plain multi-head attention (computed)</source>
        <translation>Обычное многоголовое внимание (вычислено)</translation>
    </message>
    <message>
        <source>Nothing</source>
        <translation>Ничего</translation>
    </message>
    <message>
        <source>What lenses, timeline and vitals compare the model with: %1</source>
        <translation>С чем сравнивают модель панели, лента времени и показатели: %1</translation>
    </message>
    <message>
        <source>Rename the chat</source>
        <translation>Переименовать беседу</translation>
    </message>
    <message>
        <source>Write a message</source>
        <translation>Написать сообщение</translation>
    </message>
    <message>
        <source>Regenerate the last answer</source>
        <translation>Создать последний ответ заново</translation>
    </message>
    <message>
        <source>Continue the last answer</source>
        <translation>Продолжить последний ответ</translation>
    </message>
    <message>
        <source>Edit the last message</source>
        <translation>Править последнее сообщение</translation>
    </message>
    <message>
        <source>Fork into a new chat</source>
        <translation>Ответвить в новую беседу</translation>
    </message>
    <message>
        <source>Undo the last turn</source>
        <translation>Отменить последний ход</translation>
    </message>
    <message>
        <source>Go ahead on this branch</source>
        <translation>Вперёд по этой ветви</translation>
    </message>
    <message>
        <source>Previous branch</source>
        <translation>Предыдущая ветвь</translation>
    </message>
    <message>
        <source>Next branch</source>
        <translation>Следующая ветвь</translation>
    </message>
    <message>
        <source>Sampling…</source>
        <translation>Выборка…</translation>
    </message>
    <message>
        <source>When the context is full</source>
        <translation>Когда контекст заполнен</translation>
    </message>
    <message>
        <source>Stop and ask</source>
        <translation>Остановиться и спросить</translation>
    </message>
    <message>
        <source>Roll on: the oldest tokens leave the cache</source>
        <translation>Сдвигать: самые старые токены покидают кэш</translation>
    </message>
    <message>
        <source>Sum the talk up and go on</source>
        <translation>Обобщить беседу и продолжить</translation>
    </message>
    <message>
        <source>Remove the chat (its file stays)</source>
        <translation>Убрать беседу (файл останется)</translation>
    </message>
    <message>
        <source>Bring back what was removed last</source>
        <translation>Вернуть убранное последним</translation>
    </message>
    <message>
        <source>Go to the newest message</source>
        <translation>К новейшему сообщению</translation>
    </message>
    <message>
        <source>Export the chat…</source>
        <translation>Экспорт беседы…</translation>
    </message>
    <message>
        <source>Import a chat…</source>
        <translation>Импорт беседы…</translation>
    </message>
    <message>
        <source>Replay</source>
        <translation>Повтор</translation>
    </message>
    <message>
        <source>A recorded run</source>
        <translation>Записанный прогон</translation>
    </message>
    <message>
        <source>Recorded runs (*.klprun)</source>
        <translation>Записанные прогоны (*.klprun)</translation>
    </message>
    <message>
        <source>Record</source>
        <translation>Записать</translation>
    </message>
    <message>
        <source>Keeps everything the lenses show in a file, from now on (Ctrl+Shift+K)</source>
        <translation>С этого момента сохраняет в файл всё, что показывают панели (Ctrl+Shift+K)</translation>
    </message>
    <message>
        <source>Replay a recording…</source>
        <translation>Воспроизвести запись…</translation>
    </message>
    <message>
        <source>Play or pause</source>
        <translation>Пуск или пауза</translation>
    </message>
    <message>
        <source>Token forward</source>
        <translation>На токен вперёд</translation>
    </message>
    <message>
        <source>Token back</source>
        <translation>На токен назад</translation>
    </message>
    <message>
        <source>Faster</source>
        <translation>Быстрее</translation>
    </message>
    <message>
        <source>Slower</source>
        <translation>Медленнее</translation>
    </message>
    <message>
        <source>Replay a recording</source>
        <translation>Воспроизвести запись</translation>
    </message>
    <message>
        <source>Watch a recorded run in the same lenses</source>
        <translation>Смотреть записанный прогон в тех же панелях</translation>
    </message>
    <message>
        <source>Another file…</source>
        <translation>Другой файл…</translation>
    </message>
    <message>
        <source>■ Stop recording, %1</source>
        <translation>■ Остановить запись, %1</translation>
    </message>
    <message>
        <source>● Record</source>
        <translation>● Записать</translation>
    </message>
    <message>
        <source>Close the explanation</source>
        <translation>Закрыть пояснение</translation>
    </message>
    <message>
        <source>Let go of the chosen token</source>
        <translation>Снять выбор токена</translation>
    </message>
    <message>
        <source>The server does not answer any more: %1.</source>
        <translation>Сервер больше не отвечает: %1.</translation>
    </message>
    <message>
        <source>What was said is kept, and the talk goes on when it answers again.</source>
        <translation>Сказанное сохранено; разговор продолжится, когда он снова ответит.</translation>
    </message>
    <message>
        <source>Another server…</source>
        <translation>Другой сервер…</translation>
    </message>
    <message>
        <source>A model is a folder with config.json, *.safetensors and tiktoken.model or tokenizer.json, or one GGUF file.</source>
        <translation>Модель — это папка с config.json, *.safetensors и tiktoken.model или tokenizer.json либо один файл GGUF.</translation>
    </message>
    <message>
        <source>Choose another folder…</source>
        <translation>Выбрать другую папку…</translation>
    </message>
    <message>
        <source>Talk to the embedded model</source>
        <translation>Поговорить со встроенной моделью</translation>
    </message>
    <message>
        <source>%1 is no model: it has no config.json.</source>
        <translation>%1 — не модель: нет config.json.</translation>
    </message>
    <message>
        <source>%1 is no model: it has no safetensors.</source>
        <translation>%1 — не модель: нет safetensors.</translation>
    </message>
    <message>
        <source>Side by side</source>
        <translation>Рядом</translation>
    </message>
    <message>
        <source>The same without hands</source>
        <translation>То же без вмешательств</translation>
    </message>
    <message>
        <source>The full-attention twin</source>
        <translation>Двойник с полным вниманием</translation>
    </message>
    <message>
        <source>Another branch</source>
        <translation>Другая ветвь</translation>
    </message>
    <message>
        <source>Another chat</source>
        <translation>Другая беседа</translation>
    </message>
    <message>
        <source>Back to one</source>
        <translation>Снова одна</translation>
    </message>
    <message>
        <source>Two sides need a model that is loaded here.</source>
        <translation>Для двух сторон нужна модель, загруженная здесь.</translation>
    </message>
    <message>
        <source>Load one, or leave the replay.</source>
        <translation>Загрузите её или выйдите из воспроизведения.</translation>
    </message>
    <message>
        <source>Ask again when it is there.</source>
        <translation>Повторите, когда он будет готов.</translation>
    </message>
    <message>
        <source>Kimi Linear Playground</source>
        <translation>Kimi Linear Playground</translation>
    </message>
    <message>
        <source>Run bar</source>
        <translation>Панель запуска</translation>
    </message>
    <message>
        <source>Timeline</source>
        <translation>Лента времени</translation>
    </message>
    <message>
        <source>Watch a run</source>
        <translation>Посмотрите прогон</translation>
    </message>
    <message>
        <source>A model was recorded while it was told three facts and then asked for them. Press Watch.</source>
        <translation>Модели рассказали три факта и потом спросили о них; это записано. Нажмите «Смотреть».</translation>
    </message>
    <message>
        <source>Stop and look</source>
        <translation>Остановитесь и посмотрите</translation>
    </message>
    <message>
        <source>Every word that is read or said changes the memory at the right. Press Pause whenever you want to look closer (F8).</source>
        <translation>Каждое прочитанное или сказанное слово меняет память справа. Нажмите «Пауза», когда захотите присмотреться (F8).</translation>
    </message>
    <message>
        <source>How fast it forgets</source>
        <translation>Как быстро она забывает</translation>
    </message>
    <message>
        <source>Each cell is one channel of the memory. A bright one keeps what it holds for pages, a dark one for a syllable. Click on a bright cell.</source>
        <translation>Каждая ячейка — канал памяти. Яркий хранит своё целыми страницами, тёмный — один слог. Щёлкните яркую ячейку.</translation>
    </message>
    <message>
        <source>Every token in a line</source>
        <translation>Все токены в ряд</translation>
    </message>
    <message>
        <source>The timeline has all tokens from left to right. Click on one: every lens goes to that moment.</source>
        <translation>На ленте времени все токены слева направо. Щёлкните один: все панели перейдут к этому моменту.</translation>
    </message>
    <message>
        <source>What one head holds</source>
        <translation>Что хранит одна голова</translation>
    </message>
    <message>
        <source>A state is a matrix of constant size. Open State to see the one of this head at that moment.</source>
        <translation>Состояние — матрица постоянного размера. Откройте «Состояние», чтобы увидеть матрицу этой головы в этот момент.</translation>
    </message>
    <message>
        <source>What it costs</source>
        <translation>Чего это стоит</translation>
    </message>
    <message>
        <source>The states stay as large as they are; only the small cache of every fourth layer grows. Open Memory to see both.</source>
        <translation>Состояния не растут; растёт лишь малый кэш каждого четвёртого слоя. Откройте «Память», чтобы увидеть то и другое.</translation>
    </message>
    <message>
        <source>Now live</source>
        <translation>Теперь вживую</translation>
    </message>
    <message>
        <source>That was a recording. Leave it, and the model itself is at hand.</source>
        <translation>Это была запись. Выйдите из неё, и сама модель перед вами.</translation>
    </message>
    <message>
        <source>Tell it your name</source>
        <translation>Назовите себя</translation>
    </message>
    <message>
        <source>Write “My name is …” and press Enter; then ask it what your name is. The model runs here, on this machine.</source>
        <translation>Напишите «My name is …» и нажмите Enter; потом спросите, как вас зовут. Модель работает здесь, на этой машине.</translation>
    </message>
    <message>
        <source>That was the tour. Every lens has a ? that says what it shows; the tour is in the Help menu.</source>
        <translation>Вот и весь обзор. У каждой панели есть «?», где сказано, что она показывает; обзор есть в меню «Справка».</translation>
    </message>
    <message>
        <source>Take the tour</source>
        <translation>Начать обзор</translation>
    </message>
    <message>
        <source>The model does not stand at this answer now, so it cannot be played.</source>
        <translation>Модель сейчас стоит не на этом ответе, поэтому показать его нельзя.</translation>
    </message>
    <message>
        <source>Choose its branch, or wait until the model rests.</source>
        <translation>Выберите его ветвь или подождите, пока модель освободится.</translation>
    </message>
    <message>
        <source>No recording of a race was found.</source>
        <translation>Запись гонки не найдена.</translation>
    </message>
    <message>
        <source>Load a model and press Start in the lens Race.</source>
        <translation>Загрузите модель и нажмите «Старт» в панели «Гонка».</translation>
    </message>
    <message>
        <source>Under hands: %1</source>
        <translation>Под вмешательством: %1</translation>
    </message>
    <message>
        <source>Without hands again</source>
        <translation>Снова без вмешательств</translation>
    </message>
    <message>
        <source>Under hands</source>
        <translation>Под вмешательством</translation>
    </message>
    <message>
        <source>You</source>
        <translation>Вы</translation>
    </message>
    <message>
        <source>Summary</source>
        <translation>Итог</translation>
    </message>
    <message>
        <source>%1 returned</source>
        <translation>%1: возвращено</translation>
    </message>
    <message>
        <source>Assistant</source>
        <translation>Ассистент</translation>
    </message>
    <message>
        <source>Copy the message as it was written</source>
        <translation>Скопировать сообщение как оно написано</translation>
    </message>
    <message>
        <source>Show this answer again, word by word, in all lenses and at the pace of the run bar; the model is not asked</source>
        <translation>Показать ответ ещё раз, слово за словом, во всех панелях, в темпе панели запуска; модель не спрашивают</translation>
    </message>
    <message>
        <source>Play this answer</source>
        <translation>Показать этот ответ</translation>
    </message>
    <message>
        <source>Edit</source>
        <translation>Править</translation>
    </message>
    <message>
        <source>Write it anew on a branch of its own; this one stays (Ctrl+E for the last)</source>
        <translation>Написать заново в отдельной ветви; это останется (Ctrl+E для последнего)</translation>
    </message>
    <message>
        <source>Regenerate</source>
        <translation>Заново</translation>
    </message>
    <message>
        <source>Another answer, beside this one (Ctrl+R for the last)</source>
        <translation>Ещё один ответ рядом с этим (Ctrl+R для последнего)</translation>
    </message>
    <message>
        <source>Change the answer, and let the model go on from there; this one stays</source>
        <translation>Изменить ответ и дать модели продолжить; этот останется</translation>
    </message>
    <message>
        <source>Continue</source>
        <translation>Продолжить</translation>
    </message>
    <message>
        <source>Go on with this unfinished answer</source>
        <translation>Продолжить этот неоконченный ответ</translation>
    </message>
    <message>
        <source>A new chat that begins with everything up to here (Ctrl+Shift+F for the last)</source>
        <translation>Новая беседа, которая начинается со всего до этого места (Ctrl+Shift+F для последнего)</translation>
    </message>
    <message>
        <source>Rewind here</source>
        <translation>Вернуться сюда</translation>
    </message>
    <message>
        <source>Stand here again; what follows stays as a branch</source>
        <translation>Снова встать здесь; дальнейшее останется ветвью</translation>
    </message>
    <message>
        <source>More</source>
        <translation>Ещё</translation>
    </message>
    <message>
        <source>Copied</source>
        <translation>Скопировано</translation>
    </message>
    <message>
        <source>The context is full: the model sums the talk up …</source>
        <translation>Контекст заполнен: модель подводит итог …</translation>
    </message>
    <message>
        <source>The context was full: from here on the model knows this and the last exchange. What stands above stays in the chat.</source>
        <translation>Контекст был заполнен: дальше модель знает этот итог и последнюю реплику. Всё, что выше, остаётся в беседе.</translation>
    </message>
    <message>
        <source>paused</source>
        <translation>пауза</translation>
    </message>
    <message>
        <source>waits until the race is over …</source>
        <translation>ждёт конца гонки …</translation>
    </message>
    <message>
        <source>waits until a lens has looked back …</source>
        <translation>ждёт, пока панель посмотрит назад …</translation>
    </message>
    <message>
        <source>reading %1 of %2 …</source>
        <translation>читает %1 из %2 …</translation>
    </message>
    <message>
        <source>reading …</source>
        <translation>читает …</translation>
    </message>
    <message>
        <source>%1 tokens/s</source>
        <translation>%1 токенов/с</translation>
    </message>
    <message>
        <source>thinking …</source>
        <translation>думает …</translation>
    </message>
    <message>
        <source>answering …</source>
        <translation>отвечает …</translation>
    </message>
    <message>
        <source>prompt of %1 read at %2 tokens/s</source>
        <translation>промпт (%1) прочитан со скоростью %2 токенов/с</translation>
    </message>
    <message>
        <source>first token after %1</source>
        <translation>первый токен через %1</translation>
    </message>
    <message>
        <source>seed %1</source>
        <translation>зерно %1</translation>
    </message>
    <message>
        <source>ended in its thoughts</source>
        <translation>закончился в размышлениях</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>остановлен</translation>
    </message>
    <message>
        <source>cut at the answer's length</source>
        <translation>обрезан по длине ответа</translation>
    </message>
    <message>
        <source>the context is full</source>
        <translation>контекст заполнен</translation>
    </message>
    <message>
        <source>broken off by an error</source>
        <translation>прерван ошибкой</translation>
    </message>
    <message>
        <source>rewound to here</source>
        <translation>возврат сюда</translation>
    </message>
    <message>
        <source>goes on from a chosen token</source>
        <translation>продолжен с выбранного токена</translation>
    </message>
    <message>
        <source>the window was closed</source>
        <translation>окно было закрыто</translation>
    </message>
    <message>
        <source>goes on from an edited text</source>
        <translation>продолжен с исправленного текста</translation>
    </message>
    <message>
        <source>broken off</source>
        <translation>прерван</translation>
    </message>
    <message>
        <source>the model ended it</source>
        <translation>завершён моделью</translation>
    </message>
    <message>
        <source>Branches of the conversation at this message</source>
        <translation>Ветви беседы у этого сообщения</translation>
    </message>
    <message>
        <source>What the model thought first</source>
        <translation>Что модель сначала подумала</translation>
    </message>
    <message>
        <source>&amp;Copy</source>
        <translation>&amp;Копировать</translation>
    </message>
    <message>
        <source>What it &amp;thought first…</source>
        <translation>Что она сначала &amp;подумала…</translation>
    </message>
    <message>
        <source>&amp;Edit on a new branch</source>
        <translation>П&amp;равить в новой ветви</translation>
    </message>
    <message>
        <source>&amp;Edit and go on from it</source>
        <translation>П&amp;равить и продолжить</translation>
    </message>
    <message>
        <source>Answer &amp;again</source>
        <translation>&amp;Ответить ещё раз</translation>
    </message>
    <message>
        <source>&amp;Regenerate</source>
        <translation>&amp;Создать заново</translation>
    </message>
    <message>
        <source>&amp;Play it again</source>
        <translation>Пока&amp;зать ещё раз</translation>
    </message>
    <message>
        <source>Co&amp;ntinue</source>
        <translation>&amp;Продолжить</translation>
    </message>
    <message>
        <source>&amp;Fork into a new chat</source>
        <translation>От&amp;ветвить в новую беседу</translation>
    </message>
    <message>
        <source>Re&amp;wind here</source>
        <translation>Ве&amp;рнуться сюда</translation>
    </message>
    <message>
        <source>Rewind to behind the selected &amp;token (%1)</source>
        <translation>Вернуться за выбранный &amp;токен (%1)</translation>
    </message>
    <message>
        <source>Remove from here (%1)</source>
        <translation>Убрать отсюда (%1)</translation>
    </message>
    <message>
        <source>What to do with this message</source>
        <translation>Что сделать с этим сообщением</translation>
    </message>
    <message>
        <source>Messages</source>
        <translation>Сообщения</translation>
    </message>
    <message>
        <source>Newest  ↓</source>
        <translation>Новейшее  ↓</translation>
    </message>
    <message>
        <source>What follows here was left by rewinding or by undoing; nothing of it is lost</source>
        <translation>Дальнейшее осталось после возврата или отмены; ничего не потеряно</translation>
    </message>
    <message>
        <source>Tokens a second</source>
        <translation>Токенов в секунду</translation>
    </message>
    <message>
        <source>Time per token, log</source>
        <translation>Время на токен, лог</translation>
    </message>
    <message>
        <source>State + cache</source>
        <translation>Состояние + кэш</translation>
    </message>
    <message>
        <source>Entropy of the next token, nats</source>
        <translation>Энтропия следующего токена, нат</translation>
    </message>
    <message>
        <source>Expert balance</source>
        <translation>Баланс экспертов</translation>
    </message>
    <message>
        <source>State norm, median of heads</source>
        <translation>Норма состояния, медиана голов</translation>
    </message>
    <message>
        <source>Update norm, median of heads</source>
        <translation>Норма обновления, медиана голов</translation>
    </message>
    <message>
        <source>Processors</source>
        <translation>Процессоры</translation>
    </message>
    <message>
        <source>Memory of this program</source>
        <translation>Память программы</translation>
    </message>
    <message>
        <source>GPU</source>
        <translation>GPU</translation>
    </message>
    <message>
        <source>Server</source>
        <translation>Сервер</translation>
    </message>
    <message>
        <source>over the last second of decoding</source>
        <translation>за последнюю секунду декодирования</translation>
    </message>
    <message>
        <source>mean %1, worst %2</source>
        <translation>в среднем %1, худший %2</translation>
    </message>
    <message>
        <source>no token was made yet</source>
        <translation>токенов пока не создано</translation>
    </message>
    <message>
        <source>0: the model is sure</source>
        <translation>0: модель уверена</translation>
    </message>
    <message>
        <source>dashed: 95th percentile</source>
        <translation>пунктир: 95-й процентиль</translation>
    </message>
    <message>
        <source>what each token writes</source>
        <translation>что пишет каждый токен</translation>
    </message>
    <message>
        <source>no picks of experts are known</source>
        <translation>выборы экспертов неизвестны</translation>
    </message>
    <message>
        <source>busiest of layer %1 over its mean; %2 of %3 idle</source>
        <translation>самый занятый в слое %1 к среднему; без дела %2 из %3</translation>
    </message>
    <message>
        <source>no model is loaded</source>
        <translation>модель не загружена</translation>
    </message>
    <message>
        <source>to %1</source>
        <translation>до %1</translation>
    </message>
    <message>
        <source>dashed: same-shapes twin %1 (computed)</source>
        <translation>пунктир: двойник той же формы %1 (вычислено)</translation>
    </message>
    <message>
        <source>dashed: multi-head %1 (computed)</source>
        <translation>пунктир: многоголовое %1 (вычислено)</translation>
    </message>
    <message>
        <source>this program; machine %1 (grey)</source>
        <translation>программа; машина %1 (серым)</translation>
    </message>
    <message>
        <source>%1 files; machine %2 of %3 (grey)</source>
        <translation>файлы %1; машина %2/%3</translation>
    </message>
    <message>
        <source>of its cache in use; %1 running</source>
        <translation>кэша занято; выполняется: %1</translation>
    </message>
    <message>
        <source>of its cache in use</source>
        <translation>кэша занято</translation>
    </message>
    <message>
        <source>requests running</source>
        <translation>запросов выполняется</translation>
    </message>
    <message>
        <source>Norms over the last tokens</source>
        <translation>Нормы последних токенов</translation>
    </message>
    <message>
        <source>Pace: how fast tokens are shown</source>
        <translation>Темп: как быстро показываются токены</translation>
    </message>
    <message>
        <source>How fast tokens are shown: chat, lenses and timeline move together. The model works on at its own speed, and every time shown is a token's own (F8 pauses, Ctrl+F9 faster, Ctrl+Shift+F9 slower)</source>
        <translation>Как быстро показываются токены: беседа, панели и лента идут вместе. Модель работает со своей скоростью, и каждое показанное время — собственное время токена (F8 — пауза, Ctrl+F9 — быстрее, Ctrl+Shift+F9 — медленнее)</translation>
    </message>
    <message>
        <source>Step by step</source>
        <translation>По шагам</translation>
    </message>
    <message>
        <source>Full speed</source>
        <translation>Полный ход</translation>
    </message>
    <message>
        <source>Show the next token</source>
        <translation>Показать следующий токен</translation>
    </message>
    <message>
        <source>Show the next token (F9)</source>
        <translation>Показать следующий токен (F9)</translation>
    </message>
    <message>
        <source>What you see</source>
        <translation>Что вы видите</translation>
    </message>
    <message>
        <source>What to try</source>
        <translation>Что попробовать</translation>
    </message>
    <message>
        <source>Words</source>
        <translation>Слова</translation>
    </message>
    <message>
        <source>Formula</source>
        <translation>Формула</translation>
    </message>
    <message>
        <source>Nobody knows the shape of %1, from which memory is computed. File, Engine elsewhere… takes a named shape or a config.json.</source>
        <translation>Форма %1 неизвестна, а из неё вычисляется память. «Файл», «Движок в другом месте…»: там можно указать известную форму или config.json.</translation>
    </message>
    <message>
        <source>A race needs the engine's inside, which a server does not show. klp sweep --url A --url B measures two servers beside each other.</source>
        <translation>Гонке нужны внутренности движка, которых сервер не показывает. klp sweep --url A --url B измеряет два сервера рядом.</translation>
    </message>
    <message>
        <source>%1 needs the engine's inside, which a server does not show. A model that is opened here shows it, or a recording of one.</source>
        <translation>%1: нужны внутренности движка, которых сервер не показывает. Их покажет модель, открытая здесь, или её запись.</translation>
    </message>
    <message>
        <source>%1 in words</source>
        <translation>%1 словами</translation>
    </message>
    <message>
        <source>%1, explained</source>
        <translation>%1: объяснение</translation>
    </message>
    <message>
        <source>%1 as a table</source>
        <translation>%1 таблицей</translation>
    </message>
    <message>
        <source>FROZEN</source>
        <translation>СТОП-КАДР</translation>
    </message>
    <message>
        <source>This picture stands still while the model goes on</source>
        <translation>Эта картинка стоит, пока модель работает дальше</translation>
    </message>
    <message>
        <source>what is this</source>
        <translation>что это</translation>
    </message>
    <message>
        <source>What you see here, what to try, and the formula</source>
        <translation>Что здесь видно, что попробовать и формула</translation>
    </message>
    <message>
        <source>Freeze</source>
        <translation>Стоп-кадр</translation>
    </message>
    <message>
        <source>freeze</source>
        <translation>стоп-кадр</translation>
    </message>
    <message>
        <source>Keep this picture while the model goes on</source>
        <translation>Сохранить эту картинку, пока модель работает дальше</translation>
    </message>
    <message>
        <source>Table</source>
        <translation>Таблица</translation>
    </message>
    <message>
        <source>show as table</source>
        <translation>показать таблицей</translation>
    </message>
    <message>
        <source>The same numbers as rows</source>
        <translation>Те же числа строками</translation>
    </message>
    <message>
        <source>more</source>
        <translation>ещё</translation>
    </message>
    <message>
        <source>Export this lens, or give it a window of its own</source>
        <translation>Экспорт этой панели или отдельное окно для неё</translation>
    </message>
    <message>
        <source>Copy as a picture</source>
        <translation>Копировать как картинку</translation>
    </message>
    <message>
        <source>The picture is on the clipboard</source>
        <translation>Картинка в буфере обмена</translation>
    </message>
    <message>
        <source>Export as %1…</source>
        <translation>Экспорт в %1…</translation>
    </message>
    <message>
        <source>Change the memory and answer the last question again beside the answer that stands</source>
        <translation>Изменить память и снова ответить на последний вопрос рядом с имеющимся ответом</translation>
    </message>
    <message>
        <source>Hands (%1)</source>
        <translation>Вмешательства (%1)</translation>
    </message>
    <message>
        <source>Hands</source>
        <translation>Вмешаться</translation>
    </message>
    <message>
        <source>Back into the main window</source>
        <translation>Вернуть в главное окно</translation>
    </message>
    <message>
        <source>Detach: a window of its own</source>
        <translation>Отделить: собственное окно</translation>
    </message>
    <message>
        <source>Export %1</source>
        <translation>Экспорт: %1</translation>
    </message>
    <message>
        <source>Wrote %1</source>
        <translation>Записано: %1</translation>
    </message>
    <message>
        <source>REPLAY, FROZEN</source>
        <translation>ПОВТОР, СТОП-КАДР</translation>
    </message>
    <message>
        <source>no model</source>
        <translation>нет модели</translation>
    </message>
    <message>
        <source>tokens %1 to %2 chosen</source>
        <translation>выбраны токены с %1 по %2</translation>
    </message>
    <message>
        <source>recorded %1</source>
        <translation>записано %1</translation>
    </message>
    <message>
        <source>There are no numbers yet.</source>
        <translation>Чисел пока нет.</translation>
    </message>
    <message>
        <source>model %1</source>
        <translation>модель %1</translation>
    </message>
    <message>
        <source>SVG export needs Qt's SVG module, which this build does not have</source>
        <translation>Для экспорта в SVG нужен модуль Qt SVG, которого в этой сборке нет</translation>
    </message>
    <message>
        <source>Text of the message</source>
        <translation>Текст сообщения</translation>
    </message>
    <message>
        <source>Open %1</source>
        <translation>Открыть %1</translation>
    </message>
    <message>
        <source>%1  (only web addresses are opened)</source>
        <translation>%1  (открываются только веб-адреса)</translation>
    </message>
    <message>
        <source>Copy the address</source>
        <translation>Копировать адрес</translation>
    </message>
    <message>
        <source>Pull a model</source>
        <translation>Скачать модель</translation>
    </message>
    <message>
        <source>From %1, into %2. A pull that is broken off goes on where it was.</source>
        <translation>Откуда: %1, куда: %2. Прерванная загрузка продолжится с того же места.</translation>
    </message>
    <message>
        <source>ORGANISATION/NAME, or ORGANISATION/NAME:Q4_K_M</source>
        <translation>ОРГАНИЗАЦИЯ/ИМЯ или ОРГАНИЗАЦИЯ/ИМЯ:Q4_K_M</translation>
    </message>
    <message>
        <source>Repository</source>
        <translation>Репозиторий</translation>
    </message>
    <message>
        <source>Pull</source>
        <translation>Скачать</translation>
    </message>
    <message>
        <source>Asking what is there…</source>
        <translation>Узнаём, что там есть…</translation>
    </message>
    <message>
        <source>It is there: %1</source>
        <translation>Готово: %1</translation>
    </message>
    <message>
        <source>an answer of this chat, played again</source>
        <translation>ответ из этой беседы, показанный снова</translation>
    </message>
    <message>
        <source>An answer, again</source>
        <translation>Ответ ещё раз</translation>
    </message>
    <message>
        <source>Who reads it</source>
        <translation>Кто его читает</translation>
    </message>
    <message>
        <source>Head</source>
        <translation>Голова</translation>
    </message>
    <message>
        <source>Share of what it reads</source>
        <translation>Доля того, что она читает</translation>
    </message>
    <message>
        <source>Weight</source>
        <translation>Вес</translation>
    </message>
    <message>
        <source>cache %1.%2</source>
        <translation>кэш %1.%2</translation>
    </message>
    <message>
        <source>state %1.%2</source>
        <translation>состояние %1.%2</translation>
    </message>
    <message>
        <source>Choose this head, in all lenses</source>
        <translation>Выбрать эту голову во всех панелях</translation>
    </message>
    <message>
        <source>What was recorded before is kept.</source>
        <translation>Записанное раньше сохранено.</translation>
    </message>
    <message>
        <source>Cannot record: %1 cannot be made.</source>
        <translation>Нельзя записать: не удаётся создать %1.</translation>
    </message>
    <message>
        <source>Make room, or set XDG_DATA_HOME to a folder that can be written.</source>
        <translation>Освободите место или укажите в XDG_DATA_HOME папку, доступную для записи.</translation>
    </message>
    <message>
        <source>Cannot record: %1</source>
        <translation>Нельзя записать: %1</translation>
    </message>
    <message>
        <source>Recorded %1, %2: %3</source>
        <translation>Записано: %1, %2: %3</translation>
    </message>
    <message>
        <source>Watch it</source>
        <translation>Посмотреть</translation>
    </message>
    <message>
        <source>Play</source>
        <translation>Пуск</translation>
    </message>
    <message>
        <source>Play or pause (F8)</source>
        <translation>Пуск или пауза (F8)</translation>
    </message>
    <message>
        <source>One token back (Shift+F9)</source>
        <translation>На один токен назад (Shift+F9)</translation>
    </message>
    <message>
        <source>One token forward (F9)</source>
        <translation>На один токен вперёд (F9)</translation>
    </message>
    <message>
        <source>Position in the recording, in tokens</source>
        <translation>Место в записи, в токенах</translation>
    </message>
    <message>
        <source>Drag to any token; the lenses show what was known there</source>
        <translation>Перетащите к любому токену; панели покажут известное в тот момент</translation>
    </message>
    <message>
        <source>Speed of the replay</source>
        <translation>Скорость повтора</translation>
    </message>
    <message>
        <source>Times the recorded pace; at 1× no more than 30 tokens a second are shown, so that they can be followed</source>
        <translation>Кратно темпу записи; при 1× показывается не больше 30 токенов в секунду, чтобы успевать следить</translation>
    </message>
    <message>
        <source>Again and again</source>
        <translation>Снова и снова</translation>
    </message>
    <message>
        <source>Begin again at the end</source>
        <translation>В конце начать сначала</translation>
    </message>
    <message>
        <source>Loop</source>
        <translation>По кругу</translation>
    </message>
    <message>
        <source>Back to the engine (Ctrl+Shift+X)</source>
        <translation>Назад к движку (Ctrl+Shift+X)</translation>
    </message>
    <message>
        <source>Choose another…</source>
        <translation>Выбрать другую…</translation>
    </message>
    <message>
        <source>Recorded %1 with %2</source>
        <translation>Записано %1, программа %2</translation>
    </message>
    <message>
        <source>What is known of its tokens is shown again; the model stands behind it, and answers what a lens asks of the past</source>
        <translation>Известное об этих токенах показывается снова; за ним стоит модель и отвечает, когда панель спрашивает о прошлом</translation>
    </message>
    <message>
        <source>Back to the conversation as it stands (Ctrl+Shift+X)</source>
        <translation>Назад к беседе как она есть (Ctrl+Shift+X)</translation>
    </message>
    <message>
        <source>The state under other rules</source>
        <translation>Состояние при других правилах</translation>
    </message>
    <message>
        <source>pinned</source>
        <translation>закреплённый</translation>
    </message>
    <message>
        <source>all tokens</source>
        <translation>все токены</translation>
    </message>
    <message>
        <source>%1: %2, %3. Norm %4; cosine of what is read with what was written: pinned %5, mean of all tokens %6.</source>
        <translation>%1: %2, %3. Норма %4; косинус прочитанного с записанным: закреплённый %5, среднее по всем токенам %6.</translation>
    </message>
    <message>
        <source>Send a message: then its tokens are written again, by other rules.</source>
        <translation>Отправьте сообщение: тогда его токены будут записаны ещё раз, по другим правилам.</translation>
    </message>
    <message>
        <source>This recording holds no look at this state under other rules.</source>
        <translation>В этой записи нет взгляда на это состояние при других правилах.</translation>
    </message>
    <message>
        <source>Stopped. Choose a token to look at.</source>
        <translation>Остановлено. Выберите токен.</translation>
    </message>
    <message>
        <source>Shown when the model rests: a look at the past costs feeding it again.</source>
        <translation>Покажется, когда модель освободится: чтобы посмотреть в прошлое, его надо подать снова.</translation>
    </message>
    <message>
        <source>Looking…</source>
        <translation>Поиск…</translation>
    </message>
    <message>
        <source>Linear attention</source>
        <translation>Линейное внимание</translation>
    </message>
    <message>
        <source>no gate</source>
        <translation>без вентиля</translation>
    </message>
    <message>
        <source>one gate a head</source>
        <translation>вентиль на голову</translation>
    </message>
    <message>
        <source>a gate a channel</source>
        <translation>вентиль на канал</translation>
    </message>
    <message>
        <source>delta rule</source>
        <translation>дельта-правило</translation>
    </message>
    <message>
        <source>plain writing</source>
        <translation>простая запись</translation>
    </message>
    <message>
        <source>Cosine of %1 read back: %2 by its own rule, %3; %4.</source>
        <translation>Косинус прочитанного с записанным, %1: %2 по своему правилу, %3; %4.</translation>
    </message>
    <message>
        <source>Mean cosine of %1 read back: %2 by their own rule, %3; %4.</source>
        <translation>Средний косинус прочитанного с записанным, %1: %2 по своему правилу, %3; %4.</translation>
    </message>
    <message>
        <source>By %1 the state would be %2 times as large.</source>
        <translation>Больше всего состояние было бы по правилу «%1»: в %2 раза больше.</translation>
    </message>
    <message>
        <source>Embedded demo model</source>
        <translation>Встроенная демомодель</translation>
    </message>
    <message>
        <source>Unload</source>
        <translation>Выгрузить</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>Ход выполнения</translation>
    </message>
    <message>
        <source>Stop what is running</source>
        <translation>Остановить то, что идёт</translation>
    </message>
    <message>
        <source>Stop what is running (Esc)</source>
        <translation>Остановить то, что идёт (Esc)</translation>
    </message>
    <message>
        <source>All lenses stand still while the model goes on (Ctrl+Space)</source>
        <translation>Все панели стоят, пока модель работает дальше (Ctrl+Space)</translation>
    </message>
    <message>
        <source>No model</source>
        <translation>Нет модели</translation>
    </message>
    <message>
        <source>Model: %1</source>
        <translation>Модель: %1</translation>
    </message>
    <message>
        <source>Planned: %1</source>
        <translation>План: %1</translation>
    </message>
    <message>
        <source>%1 parameters, %2 of weights, loaded in %3</source>
        <translation>параметров %1, весов %2, загружено за %3</translation>
    </message>
    <message>
        <source>The model runs in another program: %1</source>
        <translation>Модель работает в другой программе: %1</translation>
    </message>
    <message>
        <source>%1 parameters, as its shape says</source>
        <translation>параметров %1, судя по форме</translation>
    </message>
    <message>
        <source>Nobody knows the shape of what is served</source>
        <translation>Форма обслуживаемой модели неизвестна</translation>
    </message>
    <message>
        <source>Choose a model</source>
        <translation>Выбрать модель</translation>
    </message>
    <message>
        <source>loading</source>
        <translation>загрузка</translation>
    </message>
    <message>
        <source>ready</source>
        <translation>готова</translation>
    </message>
    <message>
        <source>going there</source>
        <translation>переход</translation>
    </message>
    <message>
        <source>reading %1 of %2</source>
        <translation>предзаполнение %1 из %2</translation>
    </message>
    <message>
        <source>reading the prompt</source>
        <translation>предзаполнение</translation>
    </message>
    <message>
        <source>playing</source>
        <translation>воспроизведение</translation>
    </message>
    <message>
        <source>answering</source>
        <translation>отвечает</translation>
    </message>
    <message>
        <source>racing</source>
        <translation>гонка</translation>
    </message>
    <message>
        <source>looking back</source>
        <translation>смотрит назад</translation>
    </message>
    <message>
        <source>%1 to come</source>
        <translation>впереди %1</translation>
    </message>
    <message>
        <source>How the next token is chosen: temperature, cuts, seed, length of an answer</source>
        <translation>Как выбирается следующий токен: температура, отсечения, зерно, длина ответа</translation>
    </message>
    <message>
        <source>Sampling settings</source>
        <translation>Настройки выборки</translation>
    </message>
    <message>
        <source>Preset</source>
        <translation>Набор</translation>
    </message>
    <message>
        <source>Temperature</source>
        <translation>Температура</translation>
    </message>
    <message>
        <source>0: always the most probable token; 1: the model's own distribution; more: flatter</source>
        <translation>0: всегда самый вероятный токен; 1: собственное распределение модели; больше: ровнее</translation>
    </message>
    <message>
        <source>0 (greedy)</source>
        <translation>0 (жадно)</translation>
    </message>
    <message>
        <source>Top-k</source>
        <translation>Top-k</translation>
    </message>
    <message>
        <source>Only the k most probable tokens</source>
        <translation>Только k самых вероятных токенов</translation>
    </message>
    <message>
        <source>Top-p</source>
        <translation>Top-p</translation>
    </message>
    <message>
        <source>Only the most probable tokens that together reach this probability; 1: all</source>
        <translation>Только самые вероятные токены, вместе дающие эту вероятность; 1: все</translation>
    </message>
    <message>
        <source>Min-p</source>
        <translation>Min-p</translation>
    </message>
    <message>
        <source>Only tokens at least this share as probable as the best; 0: all</source>
        <translation>Только токены с вероятностью не меньше этой доли от лучшей; 0: все</translation>
    </message>
    <message>
        <source>Repeat penalty</source>
        <translation>Штраф за повтор</translation>
    </message>
    <message>
        <source>Makes tokens of the last 64 less probable; 1: none</source>
        <translation>Делает последние 64 токена менее вероятными; 1: без штрафа</translation>
    </message>
    <message>
        <source>Answer length</source>
        <translation>Длина ответа</translation>
    </message>
    <message>
        <source>Tokens of an answer at most</source>
        <translation>Сколько токенов в ответе самое большее</translation>
    </message>
    <message>
        <source>another for each answer</source>
        <translation>новое для каждого ответа</translation>
    </message>
    <message>
        <source>Random seed</source>
        <translation>Случайное зерно</translation>
    </message>
    <message>
        <source>The same seed, settings and conversation give the same answer</source>
        <translation>Одинаковые зерно, настройки и беседа дают одинаковый ответ</translation>
    </message>
    <message>
        <source>thinks before it answers</source>
        <translation>думает перед ответом</translation>
    </message>
    <message>
        <source>Thinking</source>
        <translation>Размышление</translation>
    </message>
    <message>
        <source>Whether the model is asked to think first; its thoughts are folded, and in the menu of its message</source>
        <translation>Просить ли модель сначала подумать; её мысли свёрнуты и есть в меню её сообщения</translation>
    </message>
    <message>
        <source>Name of a new preset</source>
        <translation>Название нового набора</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>Сохранить</translation>
    </message>
    <message>
        <source>Save as a preset</source>
        <translation>Сохранить как набор</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>Удалить</translation>
    </message>
    <message>
        <source>Delete this preset</source>
        <translation>Удалить этот набор</translation>
    </message>
    <message>
        <source>Sampling: %1</source>
        <translation>Выборка: %1</translation>
    </message>
    <message>
        <source>Engine elsewhere</source>
        <translation>Движок в другом месте</translation>
    </message>
    <message>
        <source>The engine of a klp serve</source>
        <translation>Движок klp serve</translation>
    </message>
    <message>
        <source>A server of OpenAI's API</source>
        <translation>Сервер с API OpenAI</translation>
    </message>
    <message>
        <source>What is there</source>
        <translation>Что там</translation>
    </message>
    <message>
        <source>Address</source>
        <translation>Адрес</translation>
    </message>
    <message>
        <source>Through ssh</source>
        <translation>Через ssh</translation>
    </message>
    <message>
        <source>a host, such as me@gpu: the address is as seen from there</source>
        <translation>узел, например me@gpu: адрес такой, каким виден оттуда</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Модель</translation>
    </message>
    <message>
        <source>the only one there</source>
        <translation>единственная там</translation>
    </message>
    <message>
        <source>Variable with the key</source>
        <translation>Переменная с ключом</translation>
    </message>
    <message>
        <source>%1, where it is set</source>
        <translation>%1, если задана</translation>
    </message>
    <message>
        <source>Shape</source>
        <translation>Форма</translation>
    </message>
    <message>
        <source>as the name says; kimi-linear-48b, or a config.json</source>
        <translation>как говорит имя; kimi-linear-48b или config.json</translation>
    </message>
    <message>
        <source>Connect</source>
        <translation>Подключить</translation>
    </message>
    <message>
        <source>Any server of OpenAI's API: klp serve, vLLM, SGLang, llama.cpp's server, LM Studio, Ollama. Chat, speed, memory and logits work as ever; lenses that look into states and gates need an engine.</source>
        <translation>Любой сервер с API OpenAI: klp serve, vLLM, SGLang, сервер llama.cpp, LM Studio, Ollama. Беседа, скорость, память и логиты работают как обычно; панелям, которые смотрят в состояния и вентили, нужен движок.</translation>
    </message>
    <message>
        <source>klp serve on another machine lends its engine: chat, branches and every lens work as with one here. Its port is open to its own machine alone, so the way there is ssh.</source>
        <translation>klp serve на другой машине одалживает свой движок: беседа, ветви и все панели работают как со здешним. Его порт открыт только для его собственной машины, поэтому путь туда — ssh.</translation>
    </message>
    <message>
        <source>Asking for a run there…</source>
        <translation>Запрашиваем движок там…</translation>
    </message>
    <message>
        <source>Asking for a run there, through ssh…</source>
        <translation>Запрашиваем движок там, через ssh…</translation>
    </message>
    <message>
        <source>Asking what is served…</source>
        <translation>Узнаём, что обслуживается…</translation>
    </message>
    <message>
        <source>NO MODEL</source>
        <translation>НЕТ МОДЕЛИ</translation>
    </message>
    <message>
        <source>Recorded: %1</source>
        <translation>Записано: %1</translation>
    </message>
    <message>
        <source>REPLAY</source>
        <translation>ПОВТОР</translation>
    </message>
    <message>
        <source>The pictures stand still; the model may go on (Ctrl+Space)</source>
        <translation>Картинки стоят; модель может работать дальше (Ctrl+Space)</translation>
    </message>
    <message>
        <source>NO ANSWER</source>
        <translation>НЕТ ОТВЕТА</translation>
    </message>
    <message>
        <source>The server at %1 does not answer any more</source>
        <translation>Сервер %1 больше не отвечает</translation>
    </message>
    <message>
        <source>SERVED</source>
        <translation>СЕРВЕР</translation>
    </message>
    <message>
        <source>A server answers at %1: times are as they are met here, memory is computed from the shape</source>
        <translation>Отвечает сервер %1: времена измерены здесь, память вычислена по форме</translation>
    </message>
    <message>
        <source>ANOTHER TALK</source>
        <translation>ДРУГОЙ РАЗГОВОР</translation>
    </message>
    <message>
        <source>Computed now, on this machine, but of other messages than those in sight: the model stands at another talk, or on another branch</source>
        <translation>Вычислено сейчас, на этой машине, но для других сообщений, чем на экране: модель стоит в другой беседе или в другой ветви</translation>
    </message>
    <message>
        <source>REMOTE</source>
        <translation>УДАЛЁННО</translation>
    </message>
    <message>
        <source>Everything shown is computed now, by the engine of the klp serve at %1</source>
        <translation>Всё показанное вычисляется сейчас движком klp serve на %1</translation>
    </message>
    <message>
        <source>LIVE</source>
        <translation>ВЖИВУЮ</translation>
    </message>
    <message>
        <source>Everything shown is computed now, on this machine</source>
        <translation>Всё показанное вычислено сейчас, на этой машине</translation>
    </message>
    <message>
        <source>What was said is kept.</source>
        <translation>Сказанное сохранено.</translation>
    </message>
    <message>
        <source>%1 are being read: the tokens are fed again.</source>
        <translation>%1 читаются: токены подаются снова.</translation>
    </message>
    <message>
        <source>%1 are read when the model rests: the tokens are fed again.</source>
        <translation>%1 будут прочитаны, когда модель освободится: токены подаются снова.</translation>
    </message>
    <message>
        <source>%1 were not read: feeding the tokens again was stopped. Choose a token to go on.</source>
        <translation>%1 не прочитаны: повторная подача токенов остановлена. Чтобы продолжить, выберите токен.</translation>
    </message>
    <message>
        <source>Models on this disk</source>
        <translation>Модели на этом диске</translation>
    </message>
    <message>
        <source>Look in a folder…</source>
        <translation>Искать в папке…</translation>
    </message>
    <message>
        <source>Models in it are listed from now on</source>
        <translation>Модели из неё будут в списке</translation>
    </message>
    <message>
        <source>A folder with models in it</source>
        <translation>Папка с моделями</translation>
    </message>
    <message>
        <source>Downloads one from the Hugging Face hub</source>
        <translation>Скачивает модель с Hugging Face</translation>
    </message>
    <message>
        <source>%1; runs from the disk, slowly</source>
        <translation>%1; работает с диска, медленно</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Открыть</translation>
    </message>
    <message>
        <source>None yet, in the folders of Hugging Face, LM Studio, llama.cpp, Ollama and this program.</source>
        <translation>Пока ни одной в папках Hugging Face, LM Studio, llama.cpp, Ollama и этой программы.</translation>
    </message>
    <message>
        <source>The other branch</source>
        <translation>Другая ветвь</translation>
    </message>
    <message>
        <source>This chat</source>
        <translation>Эта беседа</translation>
    </message>
    <message>
        <source>Lens of this side</source>
        <translation>Панель этой стороны</translation>
    </message>
    <message>
        <source>No lens</source>
        <translation>Без панели</translation>
    </message>
    <message>
        <source>Vitals of this side</source>
        <translation>Показатели этой стороны</translation>
    </message>
    <message>
        <source>%1 in %2</source>
        <translation>%1 за %2</translation>
    </message>
    <message>
        <source>state %1</source>
        <translation>состояние %1</translation>
    </message>
    <message>
        <source>cache %1</source>
        <translation>кэш %1</translation>
    </message>
    <message>
        <source>Tokens a second, the time that the answer's passes took, and the memory that this side holds</source>
        <translation>Токены в секунду, время проходов ответа и память этой стороны</translation>
    </message>
    <message>
        <source>Singular values</source>
        <translation>Сингулярные числа</translation>
    </message>
    <message>
        <source>Singular values σ of the matrix shown, as shares of the largest; fixed logarithmic axis. The effective rank is e&lt;sup&gt;H&lt;/sup&gt;, H the entropy of σ / Σσ. Computed here from the picture, four times a second at most.</source>
        <translation>Сингулярные числа σ показанной матрицы как доли наибольшего; логарифмическая ось неизменна. Эффективный ранг — e&lt;sup&gt;H&lt;/sup&gt;, где H — энтропия σ / Σσ. Вычислено здесь по картинке, не чаще четырёх раз в секунду.</translation>
    </message>
    <message>
        <source>Effective rank %1 of %2, %3 above 1 percent of the largest</source>
        <translation>Эффективный ранг %1 из %2, больше 1 процента от наибольшего: %3</translation>
    </message>
    <message>
        <source>Effective rank %1</source>
        <translation>Эффективный ранг %1</translation>
    </message>
    <message>
        <source>Rank %1</source>
        <translation>Ранг %1</translation>
    </message>
    <message>
        <source>of %1; %2 above %3</source>
        <translation>из %1; больше %3: %2</translation>
    </message>
    <message>
        <source>σ by rank</source>
        <translation>σ по рангу</translation>
    </message>
    <message>
        <source>singular value %1 of %2: %3, %4 of the largest</source>
        <translation>сингулярное число %1 из %2: %3, %4 наибольшего</translation>
    </message>
    <message>
        <source>See how it remembers</source>
        <translation>Посмотрите, как она помнит</translation>
    </message>
    <message>
        <source>Three of four layers of Kimi Linear keep a memory of constant size that forgets, channel by channel, at a pace it decides token by token. Talk to a model and watch it happen.</source>
        <translation>У Kimi Linear три слоя из четырёх хранят память постоянного размера, которая забывает канал за каналом в темпе, выбранном на каждом токене. Поговорите с моделью и посмотрите, как это происходит.</translation>
    </message>
    <message>
        <source>Watch a recorded run</source>
        <translation>Смотреть записанный прогон</translation>
    </message>
    <message>
        <source>Watch</source>
        <translation>Смотреть</translation>
    </message>
    <message>
        <source>6 million parameters, trained on two CPU cores: a toy that answers in simple words and really remembers. It runs here, now.</source>
        <translation>6 миллионов параметров, обучена на двух ядрах CPU: игрушка, которая отвечает простыми словами и действительно помнит. Она работает здесь и сейчас.</translation>
    </message>
    <message>
        <source>Talk</source>
        <translation>Говорить</translation>
    </message>
    <message>
        <source>Open a model</source>
        <translation>Открыть модель</translation>
    </message>
    <message>
        <source>A Kimi Linear checkpoint in the Hugging Face layout (config.json, safetensors, tiktoken.model or tokenizer.json), or a GGUF file.</source>
        <translation>Контрольная точка Kimi Linear в раскладке Hugging Face (config.json, safetensors, tiktoken.model или tokenizer.json) или файл GGUF.</translation>
    </message>
    <message>
        <source>Open…</source>
        <translation>Открыть…</translation>
    </message>
    <message>
        <source>A folder…</source>
        <translation>Папка…</translation>
    </message>
    <message>
        <source>A GGUF file…</source>
        <translation>Файл GGUF…</translation>
    </message>
    <message>
        <source>Watch %1</source>
        <translation>Смотреть: %1</translation>
    </message>
    <message>
        <source>Take the tour, eight steps</source>
        <translation>Начать обзор из восьми шагов</translation>
    </message>
    <message>
        <source>Eight steps over this run, at your pace; it can be left at any moment</source>
        <translation>Восемь шагов по этому прогону в вашем темпе; выйти можно в любой момент</translation>
    </message>
    <message>
        <source>%1 more</source>
        <translation>Ещё %1</translation>
    </message>
    <message>
        <source>More recordings</source>
        <translation>Другие записи</translation>
    </message>
    <message>
        <source>This machine</source>
        <translation>Эта машина</translation>
    </message>
    <message>
        <source>%1, %2, %3 instructions. %4 of %5 memory free.</source>
        <translation>%1, %2, инструкции %3. Свободно памяти: %4 из %5.</translation>
    </message>
    <message>
        <source>Runs on the CPU: %1.</source>
        <translation>Работает на CPU: %1.</translation>
    </message>
    <message>
        <source>%1 %2 (fits)</source>
        <translation>%1 %2 (помещается)</translation>
    </message>
    <message>
        <source>Kimi-Linear-48B-A3B with 128k tokens of context needs, by how its weights are stored: %1.</source>
        <translation>Kimi-Linear-48B-A3B с контекстом 128k токенов требует, смотря как хранятся веса: %1.</translation>
    </message>
    <message>
        <source>Try: %1</source>
        <translation>Попробовать: %1</translation>
    </message>
    <message>
        <source>You say:</source>
        <translation>Вы скажете:</translation>
    </message>
    <message>
        <source>Each opens the lens where it shows something.</source>
        <translation>Каждый пример открывает панель, где есть на что посмотреть.</translation>
    </message>
    <message>
        <source>Try one of these, or write below</source>
        <translation>Попробуйте что-нибудь из этого или напишите внизу</translation>
    </message>
    <message>
        <source>Write below</source>
        <translation>Пишите ниже</translation>
    </message>
    <message>
        <source>Watch: %1</source>
        <translation>Смотрите: %1</translation>
    </message>
    <message>
        <source>Overwrite</source>
        <translation>Перезаписать</translation>
    </message>
    <message>
        <source>Erase</source>
        <translation>Стереть</translation>
    </message>
    <message>
        <source>with the value of …</source>
        <translation>значением слова…</translation>
    </message>
    <message>
        <source>Surgery, the word whose value it gets</source>
        <translation>Хирургия, слово, чьё значение он получит</translation>
    </message>
    <message>
        <source>A word that was said before the last question, or the number of a token. The last place where it stands is meant.</source>
        <translation>Слово, сказанное до последнего вопроса, или номер токена. Имеется в виду последнее место, где оно стоит.</translation>
    </message>
    <message>
        <source>Surgery, overwrite</source>
        <translation>Хирургия, перезаписать</translation>
    </message>
    <message>
        <source>S ← S + (v′ − S k) kᵀ before the last question: the pinned token's key reads the other's value. The question is answered again.</source>
        <translation>S ← S + (v′ − S k) kᵀ перед последним вопросом: ключ закреплённого токена читает чужое значение. На вопрос отвечают снова.</translation>
    </message>
    <message>
        <source>Surgery, erase</source>
        <translation>Хирургия, стереть</translation>
    </message>
    <message>
        <source>The same with v′ = 0: nothing is read with its key any more. The question is answered again.</source>
        <translation>То же с v′ = 0: по его ключу больше ничего не читается. На вопрос отвечают снова.</translation>
    </message>
    <message>
        <source>Surgery, what each token's key reads and hears</source>
        <translation>Хирургия, что читает и слышит ключ каждого токена</translation>
    </message>
    <message>
        <source>Send a message, then pin a word: what the state still answers for it, and for all others.</source>
        <translation>Отправьте сообщение и закрепите слово: что состояние ещё отвечает о нём и обо всех остальных.</translation>
    </message>
    <message>
        <source>This recording holds no look at what this state can still read.</source>
        <translation>В этой записи нет взгляда на то, что ещё читается из этого состояния.</translation>
    </message>
    <message>
        <source>Pin a word to read it, overwrite it or erase it in this state.</source>
        <translation>Закрепите слово, чтобы прочитать, перезаписать или стереть его в этом состоянии.</translation>
    </message>
    <message>
        <source>is read with a cosine of %1, at %2 of its length</source>
        <translation>читается с косинусом %1 при %2 своей длины</translation>
    </message>
    <message>
        <source>Now %1 %2.</source>
        <translation>Сейчас %1 %2.</translation>
    </message>
    <message>
        <source>Ask something behind it, and it can be cut.</source>
        <translation>Спросите что-нибудь после него, и его можно будет править.</translation>
    </message>
    <message>
        <source>Before the last question %1 %2.</source>
        <translation>Перед последним вопросом %1 %2.</translation>
    </message>
    <message>
        <source>A cut would be heard most by %1: %2 of it.</source>
        <translation>Правку сильнее всех услышит %1: %2 от неё.</translation>
    </message>
    <message>
        <source>The cut was heard most by %1: %2 of it predicted, %3 measured.</source>
        <translation>Правку сильнее всех услышал %1: предсказано %2, измерено %3.</translation>
    </message>
    <message>
        <source>%1: what its key reads has a cosine of %2 with what was written, and %3 times its length</source>
        <translation>%1: прочитанное по его ключу имеет с записанным косинус %2 и длину в %3 раза</translation>
    </message>
    <message>
        <source>%1: not measured yet</source>
        <translation>%1: ещё не измерено</translation>
    </message>
    <message>
        <source>%1: hears %2 of the change, by its key</source>
        <translation>%1: по своему ключу слышит %2 изменения</translation>
    </message>
    <message>
        <source>%1: heard %2 of the change, measured</source>
        <translation>%1: услышал %2 изменения, измерено</translation>
    </message>
    <message>
        <source>can be read</source>
        <translation>читается</translation>
    </message>
    <message>
        <source>would hear it</source>
        <translation>услышит</translation>
    </message>
    <message>
        <source>heard it</source>
        <translation>услышал</translation>
    </message>
    <message>
        <source>token</source>
        <translation>токен</translation>
    </message>
    <message>
        <source>Zoom to it</source>
        <translation>Крупнее</translation>
    </message>
    <message>
        <source>Show the chosen range alone (R)</source>
        <translation>Показать только выбранный отрезок (R)</translation>
    </message>
    <message>
        <source>Let go</source>
        <translation>Снять</translation>
    </message>
    <message>
        <source>Let go of the chosen range: every lens shows all tokens again</source>
        <translation>Снять выбор отрезка: все панели снова покажут все токены</translation>
    </message>
    <message>
        <source>update norm</source>
        <translation>норма обновления</translation>
    </message>
    <message>
        <source>entropy</source>
        <translation>энтропия</translation>
    </message>
    <message>
        <source>probability</source>
        <translation>вероятность</translation>
    </message>
    <message>
        <source>What the colours of the tokens show: how much each wrote (its surprise), how open the choice was, or how probable the token</source>
        <translation>Что показывают цвета токенов: сколько каждый записал (его неожиданность), насколько открыт был выбор или насколько вероятен токен</translation>
    </message>
    <message>
        <source>Zoom out</source>
        <translation>Мельче</translation>
    </message>
    <message>
        <source>Zoom in</source>
        <translation>Крупнее</translation>
    </message>
    <message>
        <source>All</source>
        <translation>Все</translation>
    </message>
    <message>
        <source>Show all tokens</source>
        <translation>Показать все токены</translation>
    </message>
    <message>
        <source>entropy, nats</source>
        <translation>энтропия, нат</translation>
    </message>
    <message>
        <source>0 to %1</source>
        <translation>от 0 до %1</translation>
    </message>
    <message>
        <source>The numbers</source>
        <translation>Числа</translation>
    </message>
    <message>
        <source>not captured for these tokens</source>
        <translation>для этих токенов не снято</translation>
    </message>
    <message>
        <source>the times of these tokens were not kept</source>
        <translation>времена этих токенов не сохранены</translation>
    </message>
    <message>
        <source>no token has been made yet</source>
        <translation>ни одного токена ещё не создано</translation>
    </message>
    <message>
        <source>state + cache</source>
        <translation>состояние + кэш</translation>
    </message>
    <message>
        <source>same-shapes twin, computed</source>
        <translation>двойник той же формы, вычислено</translation>
    </message>
    <message>
        <source>multi-head, computed</source>
        <translation>многоголовое, вычислено</translation>
    </message>
    <message>
        <source>memory</source>
        <translation>память</translation>
    </message>
    <message>
        <source>time per token, ms, log</source>
        <translation>время на токен, мс, лог</translation>
    </message>
    <message>
        <source>≤ %1</source>
        <translation>≤ %1</translation>
    </message>
    <message>
        <source>median of heads</source>
        <translation>медиана голов</translation>
    </message>
    <message>
        <source>95th percentile</source>
        <translation>95-й процентиль</translation>
    </message>
    <message>
        <source>state norm</source>
        <translation>норма состояния</translation>
    </message>
    <message>
        <source>probability %1</source>
        <translation>вероятность %1</translation>
    </message>
    <message>
        <source>entropy %1 nats</source>
        <translation>энтропия %1 нат</translation>
    </message>
    <message>
        <source>fed, not made</source>
        <translation>подан, не создан</translation>
    </message>
    <message>
        <source>dropped from the cache</source>
        <translation>удалён из кэша</translation>
    </message>
    <message>
        <source>update %1</source>
        <translation>обновление %1</translation>
    </message>
    <message>
        <source>state norm %1</source>
        <translation>норма состояния %1</translation>
    </message>
    <message>
        <source>grey: its readings are not kept</source>
        <translation>серое: показания не сохранены</translation>
    </message>
    <message>
        <source>No tokens yet</source>
        <translation>Токенов пока нет</translation>
    </message>
    <message>
        <source>%1; newest: %2</source>
        <translation>%1; новейший: %2</translation>
    </message>
    <message>
        <source>%1; pinned: %2</source>
        <translation>%1; закреплён: %2</translation>
    </message>
    <message>
        <source>Every token will stand here, from left to right: send a message, or watch a recorded run.</source>
        <translation>Здесь встанут все токены слева направо: отправьте сообщение или посмотрите записанный прогон.</translation>
    </message>
    <message>
        <source>%1 dropped from the cache</source>
        <translation>удалено из кэша: %1</translation>
    </message>
    <message>
        <source>All tokens, and the part that is shown: click or drag to go there</source>
        <translation>Все токены и показанная часть: щёлкните или тяните, чтобы перейти</translation>
    </message>
    <message>
        <source>Click pins it; drag chooses a range; the wheel zooms, R to the range.</source>
        <translation>Щелчок закрепляет; протяжка выбирает отрезок; колесо меняет масштаб, R — к отрезку.</translation>
    </message>
    <message>
        <source>Surprise %1 nats: a probability of %2</source>
        <translation>Неожиданность %1 нат: вероятность %2</translation>
    </message>
    <message>
        <source>Update norm %1, median of all heads</source>
        <translation>Норма обновления %1, медиана по головам</translation>
    </message>
    <message>
        <source>Update norm %1 in state %2.%3</source>
        <translation>Норма обновления %1 в состоянии %2.%3</translation>
    </message>
    <message>
        <source>%1 of it is left in state %2.%3</source>
        <translation>%1 осталось от него в состоянии %2.%3</translation>
    </message>
    <message>
        <source>KL divergence %1 nats</source>
        <translation>KL-расхождение %1 нат</translation>
    </message>
    <message>
        <source>Surprise: −log of each token's probability</source>
        <translation>Неожиданность: −log вероятности каждого токена</translation>
    </message>
    <message>
        <source>Update norm: how much each token wrote, median of all heads</source>
        <translation>Норма обновления: сколько записал каждый токен, медиана по головам</translation>
    </message>
    <message>
        <source>Update norm: how much each token wrote into state %1.%2</source>
        <translation>Норма обновления: сколько каждый токен записал в состояние %1.%2</translation>
    </message>
    <message>
        <source>What is left of each token in state %1.%2, by decay and overwriting</source>
        <translation>Что осталось от каждого токена в состоянии %1.%2 после затухания и перезаписи</translation>
    </message>
    <message>
        <source>Difference from the other branch: KL divergence at each token</source>
        <translation>Отличие от другой ветви: KL-расхождение на каждом токене</translation>
    </message>
    <message>
        <source>0 to 100 %</source>
        <translation>от 0 до 100 %</translation>
    </message>
    <message>
        <source>0 to %1 nats (2 %) and more</source>
        <translation>от 0 до %1 нат (2 %) и больше</translation>
    </message>
    <message>
        <source>0 to %1 nats</source>
        <translation>от 0 до %1 нат</translation>
    </message>
    <message>
        <source>Not known of any word here</source>
        <translation>Здесь не известно ни для одного слова</translation>
    </message>
    <message>
        <source>an answer under hands has another one beside it: open Hands in a lens</source>
        <translation>рядом с ответом под вмешательством стоит другой: откройте «Вмешательства» на панели</translation>
    </message>
    <message>
        <source>what people wrote was not chosen by the model</source>
        <translation>написанное людьми модель не выбирала</translation>
    </message>
    <message>
        <source>they were told since, or too far back; it is looked at when the model rests</source>
        <translation>сказаны позже или слишком давно; смотрится, когда модель отдыхает</translation>
    </message>
    <message>
        <source>the model has not told, or stands at another line</source>
        <translation>модель этого не сообщила или стоит на другой строке беседы</translation>
    </message>
    <message>
        <source>%1: %2.</source>
        <translation>%1: %2.</translation>
    </message>
    <message>
        <source>… %1 tokens …</source>
        <translation>… токенов: %1 …</translation>
    </message>
    <message>
        <source>End the tour</source>
        <translation>Закончить обзор</translation>
    </message>
    <message>
        <source>Next</source>
        <translation>Дальше</translation>
    </message>
    <message>
        <source>Done</source>
        <translation>Готово</translation>
    </message>
    <message>
        <source>Tour, step %1: %2</source>
        <translation>Обзор, шаг %1: %2</translation>
    </message>
    <message>
        <source>Vitals</source>
        <translation>Показатели</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>Скорость</translation>
    </message>
    <message>
        <source>Tokens a second while decoding, over about the last second of it</source>
        <translation>Токенов в секунду при декодировании, примерно за последнюю его секунду</translation>
    </message>
    <message>
        <source>Context</source>
        <translation>Контекст</translation>
    </message>
    <message>
        <source>Tokens of this conversation, of those the model can hold</source>
        <translation>Токены этой беседы из тех, что модель может держать</translation>
    </message>
    <message>
        <source>Context used</source>
        <translation>Занято контекста</translation>
    </message>
    <message>
        <source>State</source>
        <translation>Состояние</translation>
    </message>
    <message>
        <source>States and convolution tails: the same however long the conversation</source>
        <translation>Состояния и хвосты свёрток: одни и те же, как бы длинен ни был разговор</translation>
    </message>
    <message>
        <source>Cache</source>
        <translation>Кэш</translation>
    </message>
    <message>
        <source>What attention keeps of every token: it grows with each, in pages of 256</source>
        <translation>Что внимание хранит о каждом токене: растёт с каждым, страницами по 256</translation>
    </message>
    <message>
        <source>Baseline</source>
        <translation>База сравнения</translation>
    </message>
    <message>
        <source>What the full-attention twin (attention in every layer) and plain multi-head attention would hold for the same tokens: computed, in whole pages. Which of them is shown is chosen at Compare in the run bar</source>
        <translation>Что хранили бы для тех же токенов двойник с полным вниманием (внимание в каждом слое) и обычное многоголовое внимание: вычислено, целыми страницами. Что из них показано, выбирается в «Сравнить» на панели запуска</translation>
    </message>
    <message>
        <source>Process memory</source>
        <translation>Память процесса</translation>
    </message>
    <message>
        <source>Memory of this program, and of files that it reads where they lie (weights): the system takes those pages back when others need them</source>
        <translation>Память программы и файлов, которые она читает на месте (веса): система забирает эти страницы, когда они нужны другим</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>Нагрузка</translation>
    </message>
    <message>
        <source>Telemetry</source>
        <translation>Телеметрия</translation>
    </message>
    <message>
        <source>What watching took of the last answer's decoding time; and readings that came faster than they could be drawn and were left out</source>
        <translation>Сколько времени декодирования последнего ответа заняло наблюдение; и показания, которые приходили быстрее, чем рисуются, и были пропущены</translation>
    </message>
    <message>
        <source>%1 / %2 + %3 dropped</source>
        <translation>%1 / %2 + удалено %3</translation>
    </message>
    <message>
        <source>Of %1 the cache holds the newest %2; %3 were dropped from it. The KDA states have seen all of them</source>
        <translation>Всего %1, кэш держит новейшие %2; удалено из него %3. Состояния KDA видели все</translation>
    </message>
    <message>
        <source>same-shapes twin %1</source>
        <translation>двойник той же формы %1</translation>
    </message>
    <message>
        <source>multi-head %1</source>
        <translation>многоголовое %1</translation>
    </message>
    <message>
        <source>RAM %1 + %2 of files</source>
        <translation>ОЗУ %1 + файлы %2</translation>
    </message>
    <message>
        <source>telemetry %1</source>
        <translation>телеметрия %1</translation>
    </message>
    <message>
        <source>server: %1 running</source>
        <translation>сервер: в работе %1</translation>
    </message>
    <message>
        <source>%1 waiting</source>
        <translation>в очереди %1</translation>
    </message>
    <message>
        <source>server's cache %1</source>
        <translation>кэш сервера %1</translation>
    </message>
    <message>
        <source>holds %1</source>
        <translation>занято %1</translation>
    </message>
    <message>
        <source>What the server's own figures (/metrics) say: all requests, not this conversation alone</source>
        <translation>Собственные цифры сервера (/metrics): все запросы, не только эта беседа</translation>
    </message>
    <message>
        <source>GPU %1</source>
        <translation>GPU %1</translation>
    </message>
    <message>
        <source>The GPU, as its driver says: time in kernels over the last moments, memory of all programs</source>
        <translation>GPU по данным драйвера: время в ядрах за последние мгновения, память всех программ</translation>
    </message>
    <message>
        <source>%1 MHz</source>
        <translation>%1 МГц</translation>
    </message>
    <message>
        <source>%1 W</source>
        <translation>%1 Вт</translation>
    </message>
    <message>
        <source>%1 °C</source>
        <translation>%1 °C</translation>
    </message>
    <message>
        <source>CPU time of this program over the last second, of all cores</source>
        <translation>Время CPU этой программы за последнюю секунду, от всех ядер</translation>
    </message>
    <message>
        <source>CPU %1</source>
        <translation>CPU %1</translation>
    </message>
    <message>
        <source>Model's own</source>
        <translation>Свой у модели</translation>
    </message>
    <message>
        <source>Precise</source>
        <translation>Точный</translation>
    </message>
    <message>
        <source>Balanced</source>
        <translation>Уравновешенный</translation>
    </message>
    <message>
        <source>Creative</source>
        <translation>Творческий</translation>
    </message>
    <message>
        <source>%1 %</source>
        <comment>unit</comment>
        <translation>%1 %</translation>
    </message>
    <message>
        <source>%1 B</source>
        <comment>unit</comment>
        <translation>%1 Б</translation>
    </message>
    <message>
        <source>%1 KiB</source>
        <comment>unit</comment>
        <translation>%1 КиБ</translation>
    </message>
    <message>
        <source>%1 MiB</source>
        <comment>unit</comment>
        <translation>%1 МиБ</translation>
    </message>
    <message>
        <source>%1 GiB</source>
        <comment>unit</comment>
        <translation>%1 ГиБ</translation>
    </message>
    <message>
        <source>%1 TiB</source>
        <comment>unit</comment>
        <translation>%1 ТиБ</translation>
    </message>
    <message>
        <source>%1 ns</source>
        <comment>unit</comment>
        <translation>%1 нс</translation>
    </message>
    <message>
        <source>%1 us</source>
        <comment>unit</comment>
        <translation>%1 мкс</translation>
    </message>
    <message>
        <source>%1 ms</source>
        <comment>unit</comment>
        <translation>%1 мс</translation>
    </message>
    <message>
        <source>%1 s</source>
        <comment>unit</comment>
        <translation>%1 с</translation>
    </message>
    <message>
        <source>%1 min</source>
        <comment>unit</comment>
        <translation>%1 мин</translation>
    </message>
    <message>
        <source>Decay</source>
        <translation>Затухание</translation>
    </message>
    <message>
        <source>How fast each channel of the memory forgets.</source>
        <translation>Как быстро забывает каждый канал памяти.</translation>
    </message>
    <message>
        <source>&lt;p&gt;Each cell is one channel of one head: a column of its state. The brighter it is, the longer it keeps what it holds. Every token sets all of them anew, so the map changes from word to word.&lt;/p&gt;&lt;p&gt;A half-life of the map is that of &lt;i&gt;one&lt;/i&gt; token, as if its gate came again and again. &lt;i&gt;Half-life over what was fed&lt;/i&gt; is that of all tokens until now together, which is usually much shorter. Neither counts what later tokens overwrite: the lens Attention does.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Каждая ячейка — канал одной головы: столбец её состояния. Чем она ярче, тем дольше хранит своё. Каждый токен задаёт все заново, поэтому карта меняется от слова к слову.&lt;/p&gt;&lt;p&gt;Период полураспада на карте — для &lt;i&gt;одного&lt;/i&gt; токена, как если бы его вентиль повторялся снова и снова. &lt;i&gt;Период полураспада по поданному&lt;/i&gt; — для всех токенов до этого момента вместе; обычно он намного короче. Ни тот, ни другой не учитывает, что переписывают следующие токены: это делает панель «Внимание».&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Click a bright cell: State and Attention go to its head. Click a token in the timeline: the map is that of its gates, and the sentence says how much of it is left. The lens &lt;i&gt;A fact's life&lt;/i&gt; shows it fade, head by head.&lt;/p&gt;&lt;p&gt;&lt;i&gt;Hands&lt;/i&gt;: make half-lives eight times as long or short, and the last question is answered again beside the answer that stands.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Щёлкните яркую ячейку: «Состояние» и «Внимание» перейдут к её голове. Щёлкните токен на ленте времени: карта покажет его вентили, а фраза — сколько от него осталось. Панель &lt;i&gt;Жизнь факта&lt;/i&gt; покажет по головам, как он гаснет.&lt;/p&gt;&lt;p&gt;&lt;i&gt;Вмешаться&lt;/i&gt;: сделайте периоды полураспада в восемь раз длиннее или короче, и на последний вопрос будет дан новый ответ рядом с имеющимся.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;At every token S ← S Diag(α), then S ← S + β (v − S k) kᵀ.&lt;/p&gt;&lt;p&gt;α = e&lt;sup&gt;g&lt;/sup&gt;, one for each column of S. Half-life of a token: ln 2 / −g. Over n fed tokens: −n / log&lt;sub&gt;2&lt;/sub&gt; ∏ α.&lt;/p&gt;</source>
        <translation>&lt;p&gt;На каждом токене S ← S Diag(α), затем S ← S + β (v − S k) kᵀ.&lt;/p&gt;&lt;p&gt;α = e&lt;sup&gt;g&lt;/sup&gt;, по одному на столбец S. Период полураспада токена: ln 2 / −g. По n поданным токенам: −n / log&lt;sub&gt;2&lt;/sub&gt; ∏ α.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>One head's memory: a matrix that every token rewrites a little.</source>
        <translation>Память одной головы: матрица, которую каждый токен немного переписывает.</translation>
    </message>
    <message>
        <source>&lt;p&gt;The square is the whole memory of one head. Its columns are the channels of keys, its rows those of values; colours show the sign around zero. The bars at its edges are the root mean square of a row or column. Beside it: how strong each of its directions is. Few long bars mean that few things are held apart.&lt;/p&gt;&lt;p&gt;Below: the size of each head's state, token by token, and how much each token wrote. Click one to go there. Or surgery: whether the state still reads under each token's key what that token wrote, and how much of a cut at the pinned one the others would hear. Or the same tokens &lt;i&gt;under other rules&lt;/i&gt;: the matrix that each would have left, its norm, and what it still recalls.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Квадрат — вся память одной головы. Его столбцы — каналы ключей, строки — каналы значений; цвета показывают знак. Полоски по краям — среднеквадратичное строки или столбца. Рядом: насколько сильно каждое направление. Если длинных полосок мало, мало что хранится раздельно.&lt;/p&gt;&lt;p&gt;Ниже: величина состояния каждой головы по токенам и сколько записал каждый токен. Щёлкните, чтобы перейти. Или хирургия: читается ли ещё по ключу каждого токена то, что он записал, и какую долю правки закреплённого услышат остальные. Или те же токены &lt;i&gt;при других правилах&lt;/i&gt;: матрица, которую оставило бы каждое, её норма и что по ней ещё вспоминается.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Hold the state as A, say something, then choose &lt;i&gt;Now − A&lt;/i&gt;: what is left is what those words wrote. Click another token to see the state as it was behind it.&lt;/p&gt;&lt;p&gt;Pin a fact's word, choose &lt;i&gt;Surgery&lt;/i&gt; below the matrix and overwrite it with another word that was said: the last question is answered again.&lt;/p&gt;&lt;p&gt;Choose &lt;i&gt;Under other rules&lt;/i&gt; and a head that keeps the pinned word: which rule would have lost it?&lt;/p&gt;&lt;p&gt;&lt;i&gt;Hands&lt;/i&gt;: let a head write or read nothing, or empty it, and see what the model still knows.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Удержите состояние как A, скажите что-нибудь и выберите &lt;i&gt;Сейчас − A&lt;/i&gt;: останется то, что записали эти слова. Щёлкните другой токен, чтобы увидеть состояние сразу за ним.&lt;/p&gt;&lt;p&gt;Закрепите слово факта, выберите под матрицей &lt;i&gt;Хирургия&lt;/i&gt; и перезапишите его другим сказанным словом: на последний вопрос ответят снова.&lt;/p&gt;&lt;p&gt;Выберите &lt;i&gt;При других правилах&lt;/i&gt; и голову, которая хранит закреплённое слово: при каком правиле оно бы пропало?&lt;/p&gt;&lt;p&gt;&lt;i&gt;Вмешаться&lt;/i&gt;: пусть голова ничего не пишет или не читает, или опустошите её, и смотрите, что модель ещё помнит.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;S is V × K numbers, whatever the context. S ← S Diag(α) + β (v − S Diag(α) k) kᵀ; a query reads o = S q / √K.&lt;/p&gt;&lt;p&gt;Effective rank: e to the entropy of the shares that the singular values have of their sum.&lt;/p&gt;&lt;p&gt;A cut at a key k of length 1: S ← S + (v′ − S k) kᵀ, so k reads v′ (erased: 0) and another key k&lt;sub&gt;j&lt;/sub&gt; hears k&lt;sub&gt;j&lt;/sub&gt; · k of the change. (Schlag, Irie, Schmidhuber 2021; arXiv 2501.12352)&lt;/p&gt;&lt;p&gt;Other rules: α one for the head, the mean of its channels (Gated DeltaNet), or 1 (DeltaNet, linear attention); writing β v kᵀ without what is read already (GLA, linear attention). q, k, v, α and β stay those of the model.&lt;/p&gt;</source>
        <translation>&lt;p&gt;S — это V × K чисел при любом контексте. S ← S Diag(α) + β (v − S Diag(α) k) kᵀ; запрос читает o = S q / √K.&lt;/p&gt;&lt;p&gt;Эффективный ранг: e в степени энтропии долей сингулярных чисел в их сумме.&lt;/p&gt;&lt;p&gt;Правка при ключе k длины 1: S ← S + (v′ − S k) kᵀ, так что k читает v′ (стёрто: 0), а другой ключ k&lt;sub&gt;j&lt;/sub&gt; слышит k&lt;sub&gt;j&lt;/sub&gt; · k от изменения. (Schlag, Irie, Schmidhuber 2021; arXiv 2501.12352)&lt;/p&gt;&lt;p&gt;Другие правила: α одно на голову, среднее её каналов (Gated DeltaNet), или 1 (DeltaNet, линейное внимание); запись β v kᵀ без вычета уже читаемого (GLA, линейное внимание). q, k, v, α и β остаются теми, что у модели.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Память</translation>
    </message>
    <message>
        <source>Bytes this conversation holds, and what full attention would hold.</source>
        <translation>Сколько байтов занимает эта беседа и сколько заняло бы полное внимание.</translation>
    </message>
    <message>
        <source>&lt;p&gt;The line of this model is nearly flat: its states are as large at the first token as at the last, and only the cache of its few MLA layers grows. Full attention begins with nothing and grows in every layer. Where the lines cross, this model begins to need less.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Линия этой модели почти плоская: её состояния у первого токена так же велики, как у последнего, растёт лишь кэш немногих слоёв MLA. Полное внимание начинает с нуля и растёт в каждом слое. Где линии пересекаются, этой модели начинает требоваться меньше.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Move &lt;i&gt;what if it were&lt;/i&gt; to a million tokens. Choose the 48B among the shapes: no weights are needed for that.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Сдвиньте &lt;i&gt;если бы было&lt;/i&gt; к миллиону токенов. Выберите среди форм 48B: веса для этого не нужны.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;State and convolution tails are constant. The MLA cache grows by (r&lt;sub&gt;kv&lt;/sub&gt; + d&lt;sub&gt;rope&lt;/sub&gt;) values a token and MLA layer, in pages of 256 tokens. The same-shapes twin is this model with MLA in every layer; multi-head attention keeps keys and values of every head and layer. All three follow from the shapes; what is held now is counted.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Состояние и хвосты свёрток постоянны. Кэш MLA растёт на (r&lt;sub&gt;kv&lt;/sub&gt; + d&lt;sub&gt;rope&lt;/sub&gt;) значений на токен и слой MLA, страницами по 256 токенов. Двойник той же формы — эта модель с MLA в каждом слое; многоголовое внимание хранит ключи и значения всех голов и слоёв. Всё это следует из формы; занятое сейчас подсчитано.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Race</source>
        <translation>Гонка</translation>
    </message>
    <message>
        <source>This model and its full-attention twin, in turn on the same tokens.</source>
        <translation>Эта модель и её двойник полного внимания по очереди на тех же токенах.</translation>
    </message>
    <message>
        <source>&lt;p&gt;Both models decode the same tokens in turn, one each, at growing contexts. Above: how long a token takes. Below: what the conversation holds. A point is the median of the tokens there, its bar goes from the fastest to the slowest; what is dashed was not measured now.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Обе модели по очереди декодируют те же токены, по одному, при растущем контексте. Вверху: сколько времени занимает токен. Внизу: сколько занимает беседа. Точка — медиана токенов в этом месте, её полоска — от самого быстрого до самого медленного; пунктир — измерено не сейчас.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Press Start. Race to a longer context: attention reads more with every token, a state does not.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Нажмите «Старт». Проведите гонку до большего контекста: внимание с каждым токеном читает больше, состояние — нет.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Speed is tokens over the time of their passes. The line above says which twin ran: a trained one has shapes of its own.&lt;/p&gt;&lt;p&gt;For comparison, the Kimi Linear report (arXiv 2510.26692) gives up to 6.3 times less time for a token at 1M tokens and up to 75 % less cache, for the 48B model on its authors' GPUs.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Скорость — токены, делённые на время их проходов. Строка выше говорит, какой двойник работал: у обученного своя форма.&lt;/p&gt;&lt;p&gt;Для сравнения: отчёт Kimi Linear (arXiv 2510.26692) сообщает для модели 48B на GPU авторов до 6,3 раза меньше времени на токен при 1M токенов и до 75 % меньше кэша.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Experts</source>
        <translation>Эксперты</translation>
    </message>
    <message>
        <source>Which experts the router sent the last tokens to.</source>
        <translation>К каким экспертам маршрутизатор направил последние токены.</translation>
    </message>
    <message>
        <source>&lt;p&gt;A row is a layer, a cell is one of its experts. The brighter it is, the more of the last tokens it worked on. Dots are the picks of the chosen token.&lt;/p&gt;&lt;p&gt;Below: how uneven each layer is. A balanced layer lies at 1 and 0.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Строка — слой, ячейка — один из его экспертов. Чем она ярче, тем больше последних токенов он обработал. Точки — выборы для выбранного токена.&lt;/p&gt;&lt;p&gt;Ниже: насколько неравномерен каждый слой. У уравновешенного слоя — 1 и 0.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Click two tokens of one sentence and compare their dots. Count 32 tokens, then 512: does a favourite stay one?&lt;/p&gt;&lt;p&gt;&lt;i&gt;Hands&lt;/i&gt;: silence the chosen expert and see who takes its place.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Щёлкните два токена одного предложения и сравните их точки. Посчитайте 32 токена, потом 512: остаётся ли любимый эксперт любимым?&lt;/p&gt;&lt;p&gt;&lt;i&gt;Вмешаться&lt;/i&gt;: заглушите выбранного эксперта и смотрите, кто займёт его место.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Load: an expert's share of the picks over the share that all would have in balance, top-k / experts. Imbalance: the busiest expert's load over the mean, and the standard deviation over the mean.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Нагрузка: доля выборов эксперта, делённая на долю каждого при равновесии, top-k / число экспертов. Неравномерность: нагрузка самого занятого к среднему и стандартное отклонение к среднему.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Logits</source>
        <translation>Логиты</translation>
    </message>
    <message>
        <source>What the model could have said instead: click one to branch there.</source>
        <translation>Что модель могла бы сказать вместо этого: щёлкните, чтобы ответвить.</translation>
    </message>
    <message>
        <source>&lt;p&gt;The tokens that were most likely in the place of the chosen one, with their probabilities. Below: how unsure the model was at each token of its answers. There is no line over a prompt, which is read and not chosen.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Самые вероятные токены на месте выбранного и их вероятности. Ниже: насколько модель сомневалась на каждом токене своих ответов. Над промптом линии нет: он прочитан, а не выбран.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Click a candidate: the talk goes on from there with that word, and what was said stays as another branch. Click a peak of the line and see what it wavered between.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Щёлкните вариант: беседа пойдёт дальше с этого слова, а сказанное останется другой ветвью. Щёлкните пик линии и посмотрите, между чем она колебалась.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Softmax of the model's own logits, before temperature and cuts. Entropy in nats: e to it is the number of equal choices that would be as unsure. Spaces are shown as ·, line ends as ⏎.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Softmax собственных логитов модели, до температуры и отсечений. Энтропия в натах: e в её степени — число равных вариантов с той же неопределённостью. Пробелы показаны как ·, концы строк — как ⏎.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Attention</source>
        <translation>Внимание</translation>
    </message>
    <message>
        <source>Which past tokens are read: by a cache, and by a state.</source>
        <translation>Какие прошлые токены читаются: кэшем и состоянием.</translation>
    </message>
    <message>
        <source>&lt;p&gt;One token looks back, and both kinds of memory say what of the past comes through to it. A cache keeps every token, so its bars are shares that sum to 1. A state keeps no tokens: its bars say what each of them still adds to what is read, or takes away. A hollow bar is what it would add if no later token had overwritten anything.&lt;/p&gt;&lt;p&gt;Bars and colours grow with the root of the weight, so that small ones are seen.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Один токен смотрит назад, и обе памяти говорят, что из прошлого до него доходит. Кэш хранит каждый токен, поэтому его полоски — доли с суммой 1. Состояние токенов не хранит: его полоски говорят, что каждый из них ещё добавляет к прочитанному или отнимает. Пустая полоска — что он добавил бы, если бы следующие токены ничего не переписали.&lt;/p&gt;&lt;p&gt;Полоски и цвета растут как корень из веса, чтобы были видны малые.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Click a name in the answer: does the cache look at where it was told? Then choose &lt;i&gt;all heads&lt;/i&gt; to find the head that does it.&lt;/p&gt;&lt;p&gt;&lt;i&gt;Hands&lt;/i&gt;: hide the words that it looks at, and let it answer again.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Щёлкните имя в ответе: смотрит ли кэш туда, где его назвали? Затем выберите &lt;i&gt;все головы&lt;/i&gt;, чтобы найти ту, которая это делает.&lt;/p&gt;&lt;p&gt;&lt;i&gt;Вмешаться&lt;/i&gt;: скройте слова, на которые она смотрит, и пусть ответит снова.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;MLA: softmax weights over the cache. KDA: the delta rule unrolled, o = Σ w&lt;sub&gt;i&lt;/sub&gt; v&lt;sub&gt;i&lt;/sub&gt;, backwards from r = q: w = β k·r, then r ← α (r − w k); for S as V × K. It comes from feeding these tokens again while the model rests; for a state the last 2,048.&lt;/p&gt;</source>
        <translation>&lt;p&gt;MLA: веса softmax по кэшу. KDA: развёрнутое дельта-правило, o = Σ w&lt;sub&gt;i&lt;/sub&gt; v&lt;sub&gt;i&lt;/sub&gt;, назад от r = q: w = β k·r, затем r ← α (r − w k); S как V × K. Получено повторной подачей этих токенов, пока модель свободна; для состояния — последние 2048.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>A fact's life</source>
        <translation>Жизнь факта</translation>
    </message>
    <message>
        <source>What becomes of a pinned word in every memory.</source>
        <translation>Что становится с закреплённым словом в каждой памяти.</translation>
    </message>
    <message>
        <source>&lt;p&gt;A token writes a value under a key into the state of every head. The curves show how much of it can still be read there with its own key: on the left after the gates' decay alone, on the right after what later tokens wrote, too. Below 0 later writes speak against it.&lt;/p&gt;&lt;p&gt;Below: how much of what a head of a cache reads is this token's row, and how probable this token was where answers were made.&lt;/p&gt;&lt;p&gt;&lt;i&gt;Who reads it&lt;/i&gt; ranks all heads, of states and of caches, by how much of what they read at a token is this word's.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Токен записывает в состояние каждой головы значение по ключу. Кривые показывают, сколько от него ещё можно прочитать его собственным ключом: слева после одного затухания вентилей, справа и после того, что записали позже. Ниже 0 поздние записи говорят против него.&lt;/p&gt;&lt;p&gt;Ниже: какую долю прочитанного головой кэша составляет строка этого токена и насколько вероятен был этот токен там, где делались ответы.&lt;/p&gt;&lt;p&gt;&lt;i&gt;Кто его читает&lt;/i&gt; ставит по порядку все головы, состояний и кэшей, по доле этого слова в том, что они читают на токене.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Tell a fact, pin its word with a click, then talk of something else and ask for it: the curves sink, and the probability says whether it was still found. Choose a head: the lens State can overwrite or erase it there.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Сообщите факт, закрепите его слово щелчком, поговорите о другом и спросите о нём: кривые опускаются, а вероятность говорит, найден ли он ещё. Выберите голову: панель «Состояние» может там его перезаписать или стереть.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;A write β k v&lt;sup&gt;T&lt;/sup&gt; lies in S after token t as β p v&lt;sup&gt;T&lt;/sup&gt;: p ← (I − β k kᵀ) Diag(α) p with each token's own α, β and k. Decay alone: k · ∏ α k. Both: k · p. A later token reads it with β q · p (its weight of the unrolled rule). Of a cache: the softmax weight of its row.&lt;/p&gt;&lt;p&gt;Its share of what a head reads: of a cache that weight; of a state, whose output o is the sum of all w v, (w v · o) / |o|². Over all tokens the shares of a head add up to 1. (Schlag, Irie, Schmidhuber 2021; arXiv 2501.12352)&lt;/p&gt;</source>
        <translation>&lt;p&gt;Запись β k v&lt;sup&gt;T&lt;/sup&gt; лежит в S после токена t как β p v&lt;sup&gt;T&lt;/sup&gt;: p ← (I − β k kᵀ) Diag(α) p с α, β и k каждого токена. Одно затухание: k · ∏ α k. Вместе: k · p. Поздний токен читает её с весом β q · p (развёрнутое правило). У кэша — softmax-вес её строки.&lt;/p&gt;&lt;p&gt;Доля в том, что читает голова: у кэша это вес; у состояния, выход которого o — сумма всех w v, это (w v · o) / |o|². По всем токенам доли одной головы дают 1. (Schlag, Irie, Schmidhuber 2021; arXiv 2501.12352)&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Log</source>
        <translation>Журнал</translation>
    </message>
    <message>
        <source>What happened, in order.</source>
        <translation>Что произошло, по порядку.</translation>
    </message>
    <message>
        <source>&lt;p&gt;Loads, prompts, answers, moves and errors, with their times.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Загрузки, промпты, ответы, перемещения и ошибки с их временем.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Choose &lt;i&gt;everything&lt;/i&gt; for the details.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Выберите &lt;i&gt;всё&lt;/i&gt;, чтобы увидеть подробности.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Model map</source>
        <translation>Карта</translation>
    </message>
    <message>
        <source>All layers of the model, from bottom to top.</source>
        <translation>Все слои модели, снизу вверх.</translation>
    </message>
    <message>
        <source>&lt;p&gt;A token enters below and goes up through every layer: first the mixer, where it meets the tokens before it, then the feed-forward part, where it is alone. A mixer with a state remembers in a matrix of constant size, one with a cache keeps a row of every token.&lt;/p&gt;&lt;p&gt;The bars say how many bytes of weights one token reads in each layer.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Токен входит снизу и поднимается через все слои: сначала смешивание, где он встречает прежние токены, затем прямая часть, где он один. Слой с состоянием помнит в матрице постоянного размера, слой с кэшем хранит строку на каждый токен.&lt;/p&gt;&lt;p&gt;Полоски показывают, сколько байтов весов читает один токен в каждом слое.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Click a layer: every lens that shows one layer goes there. The keys Up and Down do the same.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Щёлкните слой: каждая линза, которая показывает один слой, перейдёт туда. То же делают клавиши «вверх» и «вниз».&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;All is counted from the shapes, with matrices in the type that most weights have: of the experts as many as are picked for a token, states in f32 with the tails of their convolutions, caches in the type that they have here.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Всё посчитано по форме модели, матрицы — в типе, который у большинства весов: экспертов столько, сколько выбирается для токена, состояния в f32 вместе с хвостами свёрток, кэши в том типе, что здесь.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>rule</source>
        <translation>правило</translation>
    </message>
    <message>
        <source>norm</source>
        <translation>норма</translation>
    </message>
    <message>
        <source>feed-forward</source>
        <translation>прямая часть</translation>
    </message>
    <message>
        <source>bytes a token reads</source>
        <translation>байт, читает токен</translation>
    </message>
    <message>
        <source>bytes a token</source>
        <translation>байт на токен</translation>
    </message>
    <message>
        <source>position</source>
        <translation>позиция</translation>
    </message>
    <message>
        <source>cache weight</source>
        <translation>вес в кэше</translation>
    </message>
    <message>
        <source>share</source>
        <translation>доля</translation>
    </message>
    <message>
        <source>state weight</source>
        <translation>вес в состоянии</translation>
    </message>
    <message>
        <source>state weight, decay only</source>
        <translation>вес в состоянии, только затухание</translation>
    </message>
    <message>
        <source>share of a value</source>
        <translation>доля значения</translation>
    </message>
    <message>
        <source>decay alone</source>
        <translation>одно затухание</translation>
    </message>
    <message>
        <source>decay and overwriting</source>
        <translation>затухание и перезапись</translation>
    </message>
    <message>
        <source>read</source>
        <translation>чтение</translation>
    </message>
    <message>
        <source>weight</source>
        <translation>вес</translation>
    </message>
    <message>
        <source>cosine</source>
        <translation>косинус</translation>
    </message>
    <message>
        <source>length</source>
        <translation>длина</translation>
    </message>
    <message>
        <source>share of what was written</source>
        <translation>доля записанного</translation>
    </message>
    <message>
        <source>would hear</source>
        <translation>услышит</translation>
    </message>
    <message>
        <source>share of the change</source>
        <translation>доля изменения</translation>
    </message>
    <message>
        <source>heard</source>
        <translation>услышал</translation>
    </message>
    <message>
        <source>layer</source>
        <translation>слой</translation>
    </message>
    <message>
        <source>head</source>
        <translation>голова</translation>
    </message>
    <message>
        <source>channel</source>
        <translation>канал</translation>
    </message>
    <message>
        <source>nats a token</source>
        <translation>нат на токен</translation>
    </message>
    <message>
        <source>share left a token</source>
        <translation>остаток за токен</translation>
    </message>
    <message>
        <source>half-life</source>
        <translation>период полураспада</translation>
    </message>
    <message>
        <source>half-life over what was fed</source>
        <translation>период полураспада по поданному</translation>
    </message>
    <message>
        <source>expert</source>
        <translation>эксперт</translation>
    </message>
    <message>
        <source>picks</source>
        <translation>выборы</translation>
    </message>
    <message>
        <source>load</source>
        <translation>нагрузка</translation>
    </message>
    <message>
        <source>times an even share</source>
        <translation>в равных долях</translation>
    </message>
    <message>
        <source>weight for the selected token</source>
        <translation>вес для выбранного токена</translation>
    </message>
    <message>
        <source>layer: busiest / mean</source>
        <translation>слой: самый занятый / среднее</translation>
    </message>
    <message>
        <source>ratio</source>
        <translation>отношение</translation>
    </message>
    <message>
        <source>layer: standard deviation / mean</source>
        <translation>слой: стандартное отклонение / среднее</translation>
    </message>
    <message>
        <source>rank</source>
        <translation>ранг</translation>
    </message>
    <message>
        <source>id</source>
        <translation>id</translation>
    </message>
    <message>
        <source>chosen</source>
        <translation>выбран</translation>
    </message>
    <message>
        <source>nats</source>
        <translation>нат</translation>
    </message>
    <message>
        <source>what</source>
        <translation>что</translation>
    </message>
    <message>
        <source>state</source>
        <translation>состояние</translation>
    </message>
    <message>
        <source>bytes</source>
        <translation>байты</translation>
    </message>
    <message>
        <source>convolution tails</source>
        <translation>хвосты свёрток</translation>
    </message>
    <message>
        <source>this model</source>
        <translation>эта модель</translation>
    </message>
    <message>
        <source>same-shapes twin</source>
        <translation>двойник той же формы</translation>
    </message>
    <message>
        <source>bytes, computed</source>
        <translation>байты, вычислено</translation>
    </message>
    <message>
        <source>mixer</source>
        <translation>смеситель</translation>
    </message>
    <message>
        <source>tails</source>
        <translation>хвосты</translation>
    </message>
    <message>
        <source>cache</source>
        <translation>кэш</translation>
    </message>
    <message>
        <source>as MLA</source>
        <translation>как MLA</translation>
    </message>
    <message>
        <source>as attention</source>
        <translation>как внимание</translation>
    </message>
    <message>
        <source>multi-head</source>
        <translation>многоголовое</translation>
    </message>
    <message>
        <source>context</source>
        <translation>контекст</translation>
    </message>
    <message>
        <source>ns a token, median</source>
        <translation>нс на токен, медиана</translation>
    </message>
    <message>
        <source>ns a token, fastest</source>
        <translation>нс на токен, быстрейший</translation>
    </message>
    <message>
        <source>ns a token, slowest</source>
        <translation>нс на токен, медленнейший</translation>
    </message>
    <message>
        <source>tokens/s</source>
        <translation>токенов/с</translation>
    </message>
    <message>
        <source>twin's time / this model's</source>
        <translation>время двойника / этой модели</translation>
    </message>
    <message>
        <source>value</source>
        <translation>значение</translation>
    </message>
    <message>
        <source>key</source>
        <translation>ключ</translation>
    </message>
    <message>
        <source>no unit</source>
        <translation>без единицы</translation>
    </message>
    <message>
        <source>time</source>
        <translation>время</translation>
    </message>
    <message>
        <source>ISO 8601, local</source>
        <translation>ISO 8601, местное</translation>
    </message>
    <message>
        <source>level</source>
        <translation>уровень</translation>
    </message>
    <message>
        <source>answers right</source>
        <translation>верных ответов</translation>
    </message>
    <message>
        <source>loss</source>
        <translation>потери</translation>
    </message>
    <message>
        <source>90 % from step</source>
        <translation>90 % с шага</translation>
    </message>
    <message>
        <source>rate</source>
        <translation>скорость</translation>
    </message>
    <message>
        <source>weights</source>
        <translation>веса</translation>
    </message>
    <message>
        <source>median, tokens</source>
        <translation>медиана, токены</translation>
    </message>
    <message>
        <source>message</source>
        <translation>сообщение</translation>
    </message>
    <message>
        <source>%1 of %2 holds %3.</source>
        <translation>%1 (%2) занимает %3.</translation>
    </message>
    <message>
        <source>%1 of %2 holds %3; %4 would hold %5, %6 times as much.</source>
        <translation>%1 (%2) занимает %3; %4: было бы %5, в %6 раз больше.</translation>
    </message>
    <message>
        <source>%1 of %2 holds %3; %4 would hold %5, the same.</source>
        <translation>%1 (%2) занимает %3; %4: было бы %5, столько же.</translation>
    </message>
    <message>
        <source>%1 of %2 holds %3; %4 would hold %5, which is less.</source>
        <translation>%1 (%2) занимает %3; %4: было бы %5, меньше.</translation>
    </message>
    <message>
        <source>%1 of %2 holds %3; %4 would hold %5, which is less: from %6 on it holds more.</source>
        <translation>%1 (%2) занимает %3; %4: было бы %5, меньше; больше — начиная с %6.</translation>
    </message>
    <message>
        <source>trained twin</source>
        <translation>обученный двойник</translation>
    </message>
    <message>
        <source>same-shapes twin, synthetic mixers</source>
        <translation>двойник той же формы, синтетические смесители</translation>
    </message>
    <message>
        <source>recorded twin</source>
        <translation>двойник из записи</translation>
    </message>
    <message>
        <source>Always the most probable token: the same conversation gets the same answer.</source>
        <translation>Всегда самый вероятный токен: на ту же беседу тот же ответ.</translation>
    </message>
    <message>
        <source>Each token is drawn by chance, probable ones more often than the model alone would.</source>
        <translation>Каждый токен выпадает случайно, вероятные — чаще, чем решила бы сама модель.</translation>
    </message>
    <message>
        <source>Each token is drawn by chance, as often as the model finds it probable.</source>
        <translation>Каждый токен выпадает случайно, так часто, как его оценивает модель.</translation>
    </message>
    <message>
        <source>Each token is drawn by chance, and improbable ones get more of it than the model gives them.</source>
        <translation>Каждый токен выпадает случайно, маловероятные — чаще, чем даёт им модель.</translation>
    </message>
    <message>
        <source>the %1 most probable</source>
        <translation>самые вероятные (%1)</translation>
    </message>
    <message>
        <source>the most probable that together make %1</source>
        <translation>самые вероятные, вместе дающие %1</translation>
    </message>
    <message>
        <source>those at least %1 as probable as the best</source>
        <translation>с вероятностью не меньше %1 от лучшей</translation>
    </message>
    <message>
        <source>Only %1 take part.</source>
        <translation>Участвуют только %1.</translation>
    </message>
    <message>
        <source>, of them </source>
        <translation>, из них </translation>
    </message>
    <message>
        <source>Tokens of the last 64 are held back.</source>
        <translation>Токены из последних 64 сдерживаются.</translation>
    </message>
    <message>
        <source>What lies on top of which of several stacks, pushed and popped in any order</source>
        <translation>Что лежит наверху какого из нескольких стеков, при любых вталкиваниях и выталкиваниях</translation>
    </message>
    <message>
        <source>Keys and values</source>
        <translation>Ключи и значения</translation>
    </message>
    <message>
        <source>Pairs of key and value, then the value of each key is asked (MQAR)</source>
        <translation>Пары «ключ — значение», затем спрашивается значение каждого ключа (MQAR)</translation>
    </message>
    <message>
        <source>Pairs</source>
        <translation>Пары</translation>
    </message>
    <message>
        <source>Palindrome</source>
        <translation>Палиндром</translation>
    </message>
    <message>
        <source>What was read, backwards</source>
        <translation>Прочитанное задом наперёд</translation>
    </message>
    <message>
        <source>What was read, as it was</source>
        <translation>Прочитанное как было</translation>
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
        <translation>DeltaNet: без затухания</translation>
    </message>
    <message>
        <source>GLA: plain writing</source>
        <translation>GLA: простая запись</translation>
    </message>
    <message>
        <source>Decay per head, plain writing</source>
        <translation>Затухание по головам, простая запись</translation>
    </message>
    <message>
        <source>Softmax attention</source>
        <translation>Внимание softmax</translation>
    </message>
    <message>
        <source>Softmax attention without positions</source>
        <translation>Внимание softmax без позиций</translation>
    </message>
    <message>
        <source>KDA, swish as output gate</source>
        <translation>KDA, swish вместо сигмоиды</translation>
    </message>
    <message>
        <source>KDA, no output gate</source>
        <translation>KDA без выходного вентиля</translation>
    </message>
    <message>
        <source>KDA, no short convolution</source>
        <translation>KDA без короткой свёртки</translation>
    </message>
    <message>
        <source>KDA and attention 1:1</source>
        <translation>KDA и внимание 1:1</translation>
    </message>
    <message>
        <source>KDA and attention with positions 1:1</source>
        <translation>KDA и внимание с позициями 1:1</translation>
    </message>
    <message>
        <source>An answer begins: “%1”</source>
        <translation>Начинается ответ: «%1»</translation>
    </message>
    <message>
        <source>A message begins: “%1”</source>
        <translation>Начинается сообщение: «%1»</translation>
    </message>
    <message>
        <source>A snapshot of the memory behind token %1: going back here costs no reading</source>
        <translation>Снимок памяти за токеном %1: возврат сюда не требует чтения</translation>
    </message>
    <message>
        <source>State (KDA)</source>
        <translation>Состояние (KDA)</translation>
    </message>
    <message>
        <source>Cache (MLA)</source>
        <translation>Кэш (MLA)</translation>
    </message>
    <message>
        <source>State</source>
        <comment>before its boxes</comment>
        <translation>Сост.</translation>
    </message>
    <message>
        <source>Cache</source>
        <comment>before its boxes</comment>
        <translation>Кэш</translation>
    </message>
    <message>
        <source>%1, weight of each token</source>
        <translation>%1, вес каждого токена</translation>
    </message>
    <message>
        <source>%1, the word it reads most</source>
        <translation>%1, слово, которое читается больше всего</translation>
    </message>
    <message>
        <source>Bring this word into sight</source>
        <translation>Показать это слово</translation>
    </message>
    <message>
        <source>Below the strips</source>
        <translation>Под полосами</translation>
    </message>
    <message>
        <source>The words, coloured by the weights of one memory or of each; or all heads of both layers</source>
        <translation>Слова, окрашенные по весам одной памяти или обеих; или все головы обоих слоёв</translation>
    </message>
    <message>
        <source>words by both</source>
        <translation>слова по обеим</translation>
    </message>
    <message>
        <source>words by cache</source>
        <translation>слова по кэшу</translation>
    </message>
    <message>
        <source>words by state</source>
        <translation>слова по состоянию</translation>
    </message>
    <message>
        <source>all heads</source>
        <translation>все головы</translation>
    </message>
    <message>
        <source>The words of the context, coloured by the state</source>
        <translation>Слова контекста, окрашенные по состоянию</translation>
    </message>
    <message>
        <source>The words of the context, coloured by the cache</source>
        <translation>Слова контекста, окрашенные по кэшу</translation>
    </message>
    <message>
        <source>All heads by token</source>
        <translation>Все головы по токенам</translation>
    </message>
    <message>
        <source>%1 · token %2, %3: %4</source>
        <translation>%1 · токен %2, %3: %4</translation>
    </message>
    <message>
        <source>n/a (not looked at)</source>
        <translation>нет (не смотрели)</translation>
    </message>
    <message>
        <source>Feeding the past again: %1 of %2.</source>
        <translation>Прошлое подаётся снова: %1 из %2.</translation>
    </message>
    <message>
        <source>The next picture comes when the model rests.</source>
        <translation>Следующая картинка — когда модель освободится.</translation>
    </message>
    <message>
        <source>cache: share of what is read</source>
        <translation>кэш: доля прочитанного</translation>
    </message>
    <message>
        <source>state: adds</source>
        <translation>состояние: добавляет</translation>
    </message>
    <message>
        <source>takes away</source>
        <translation>отнимает</translation>
    </message>
    <message>
        <source>had nothing overwritten it</source>
        <translation>если бы не переписали</translation>
    </message>
    <message>
        <source>not looked at</source>
        <translation>не смотрели</translation>
    </message>
    <message>
        <source>the token that reads</source>
        <translation>читающий токен</translation>
    </message>
    <message>
        <source>scale: square root</source>
        <translation>шкала: квадратный корень</translation>
    </message>
    <message>
        <source>%1: layer %2, head %3</source>
        <translation>%1: слой %2, голова %3</translation>
    </message>
    <message>
        <source>what %1 reads</source>
        <translation>что читает %1</translation>
    </message>
    <message>
        <source>The picture is on its way.</source>
        <translation>Картинка на подходе.</translation>
    </message>
    <message>
        <source>A recording has the layers that were looked at when it was made</source>
        <translation>В записи есть слои, на которые смотрели при её создании</translation>
    </message>
    <message>
        <source>Load a model and ask it something: this lens shows which of the past tokens a head reads.</source>
        <translation>Загрузите модель и спросите её о чём-нибудь: эта панель покажет, какие прошлые токены читает голова.</translation>
    </message>
    <message>
        <source>This recording holds no picture of attention: it takes the model to make one. Leave the replay to look at any head.</source>
        <translation>В этой записи нет картинки внимания: чтобы её сделать, нужна модель. Выйдите из повтора, чтобы посмотреть любую голову.</translation>
    </message>
    <message>
        <source>Ask something: this lens shows which of the past tokens a head reads.</source>
        <translation>Спросите о чём-нибудь: эта панель покажет, какие прошлые токены читает голова.</translation>
    </message>
    <message>
        <source>Feeding the past again to look at it: %1 of %2 tokens.</source>
        <translation>Прошлое подаётся снова, чтобы на него посмотреть: %1 из %2 токенов.</translation>
    </message>
    <message>
        <source>Stopped. Choose a token or a head to look at.</source>
        <translation>Остановлено. Выберите токен или голову.</translation>
    </message>
    <message>
        <source>%1: not in this recording</source>
        <translation>%1: нет в этой записи</translation>
    </message>
    <message>
        <source>Show %1</source>
        <translation>Показать %1</translation>
    </message>
    <message>
        <source>%1: most from %3 (%4), half of all from the last %2, before token %5: %6 of the output</source>
        <translation>%1: больше всего %3 (%4), половина всего — последнее (%2), до токена %5: %6 выхода</translation>
    </message>
    <message>
        <source>%1: most from %3 (%4), half of all from the last %2</source>
        <translation>%1: больше всего %3 (%4), половина всего — последнее (%2)</translation>
    </message>
    <message>
        <source>o = Σ w v + what came before: the delta rule unrolled.&lt;br&gt;Bars: w, what this token still adds. Outlines: what it would add if no later token had overwritten anything.&lt;br&gt;Negative: it is taken away. Scale: root, to K&lt;sup&gt;−½&lt;/sup&gt;, the most there can be. Read from a replay of these tokens.</source>
        <translation>o = Σ w v + то, что было раньше: развёрнутое дельта-правило.&lt;br&gt;Полоски: w, что этот токен ещё добавляет. Контуры: что он добавил бы, если бы следующие токены ничего не переписали.&lt;br&gt;Отрицательное: отнимается. Шкала: корень, до K&lt;sup&gt;−½&lt;/sup&gt;, больше не бывает. Прочитано при повторе этих токенов.</translation>
    </message>
    <message>
        <source>Softmax weights over the cache; they sum to 1. Scale: root, to 1. Read from a replay of this token.</source>
        <translation>Веса softmax по кэшу; их сумма 1. Шкала: корень, до 1. Прочитано при повторе этого токена.</translation>
    </message>
    <message>
        <source>−most</source>
        <translation>−макс.</translation>
    </message>
    <message>
        <source>most</source>
        <translation>макс.</translation>
    </message>
    <message>
        <source>Token %1, %2</source>
        <translation>Токен %1, %2</translation>
    </message>
    <message>
        <source>(%1 had nothing overwritten it)</source>
        <translation>(%1, если бы не переписали)</translation>
    </message>
    <message>
        <source>state: before the window</source>
        <translation>состояние: до окна</translation>
    </message>
    <message>
        <source>Point at a token for its weights; click to look from there.</source>
        <translation>Наведите на токен, чтобы увидеть веса; щёлкните, чтобы смотреть оттуда.</translation>
    </message>
    <message>
        <source>What was said.</source>
        <translation>Что было сказано.</translation>
    </message>
    <message>
        <source>Click or press Enter: the conversation branches here and goes on with “%1”. What was said stays, as the other branch.</source>
        <translation>Щёлкните или нажмите Enter: здесь беседа разветвится и продолжится с «%1». Сказанное останется другой ветвью.</translation>
    </message>
    <message>
        <source>%1, %2, chosen</source>
        <translation>%1, %2, выбран</translation>
    </message>
    <message>
        <source>%1  ← chosen</source>
        <translation>%1  ← выбран</translation>
    </message>
    <message>
        <source>Layer × channel, longest of heads</source>
        <translation>Слой × канал, наибольшее из голов</translation>
    </message>
    <message>
        <source>Layer × channel, one head</source>
        <translation>Слой × канал, одна голова</translation>
    </message>
    <message>
        <source>Head × channel</source>
        <translation>Голова × канал</translation>
    </message>
    <message>
        <source>Last 512 tokens, one head</source>
        <translation>Последние 512 токенов, одна голова</translation>
    </message>
    <message>
        <source>Decay, view</source>
        <translation>Затухание, вид</translation>
    </message>
    <message>
        <source>Rows × columns of the map. Longest of heads: of a layer's heads the one that keeps this channel longest.</source>
        <translation>Строки × столбцы карты. Наибольшее из голов: голова слоя, которая хранит этот канал дольше других.</translation>
    </message>
    <message>
        <source>Half-life of the token</source>
        <translation>Период полураспада токена</translation>
    </message>
    <message>
        <source>log decay g</source>
        <translation>лог. затухание g</translation>
    </message>
    <message>
        <source>Half-life over what was fed</source>
        <translation>Период полураспада по поданному</translation>
    </message>
    <message>
        <source>Decay, value</source>
        <translation>Затухание, величина</translation>
    </message>
    <message>
        <source>Half-life of the token: ln 2 / −g, in tokens, as if this token's gate came again and again. α = e&lt;sup&gt;g&lt;/sup&gt;: what is left of a channel after one token. g: log decay, in nats a token. Over what was fed: −n / log&lt;sub&gt;2&lt;/sub&gt; ∏ α of all n tokens until this one. All scales are fixed. Source: the gates the engine used.</source>
        <translation>Период полураспада токена: ln 2 / −g, в токенах, как если бы вентиль этого токена повторялся снова и снова. α = e&lt;sup&gt;g&lt;/sup&gt;: что остаётся от канала после одного токена. g: логарифм затухания, в натах на токен. По поданному: −n / log&lt;sub&gt;2&lt;/sub&gt; ∏ α всех n токенов до этого. Все шкалы неизменны. Источник: вентили, которые применил движок.</translation>
    </message>
    <message>
        <source>Decay map</source>
        <translation>Карта затухания</translation>
    </message>
    <message>
        <source>Layer × head</source>
        <translation>Слой × голова</translation>
    </message>
    <message>
        <source>Last 512 tokens, one layer</source>
        <translation>Последние 512 токенов, один слой</translation>
    </message>
    <message>
        <source>Gate: %1</source>
        <translation>Вентиль: %1</translation>
    </message>
    <message>
        <source>From config.json: %1</source>
        <translation>Из config.json: %1</translation>
    </message>
    <message>
        <source>Load a model, and this map shows how fast each channel of its memory forgets.</source>
        <translation>Загрузите модель, и эта карта покажет, как быстро забывает каждый канал её памяти.</translation>
    </message>
    <message>
        <source>This model has no KDA layers: nothing in it decays.</source>
        <translation>В этой модели нет слоёв KDA: в ней ничего не затухает.</translation>
    </message>
    <message>
        <source>Play the recording: each token brings a new set of gates.</source>
        <translation>Запустите запись: каждый токен приносит новые вентили.</translation>
    </message>
    <message>
        <source>Send a message: each token brings a new set of gates.</source>
        <translation>Отправьте сообщение: каждый токен приносит новые вентили.</translation>
    </message>
    <message>
        <source>This recording holds no gates of %1.</source>
        <translation>В этой записи нет вентилей: %1.</translation>
    </message>
    <message>
        <source>The gates of %1</source>
        <translation>Вентили (%1)</translation>
    </message>
    <message>
        <source>your first message</source>
        <translation>ваше первое сообщение</translation>
    </message>
    <message>
        <source>Over them the median half-life of %1 is %2 tokens.</source>
        <translation>По ним медиана периода полураспада (%1) — %2 токенов.</translation>
    </message>
    <message>
        <source>α: forgets … keeps</source>
        <translation>α: забывает … хранит</translation>
    </message>
    <message>
        <source>forgets fast … keeps long</source>
        <translation>забывает быстро … хранит долго</translation>
    </message>
    <message>
        <source>not read</source>
        <translation>не прочитано</translation>
    </message>
    <message>
        <source>chosen head</source>
        <translation>выбранная голова</translation>
    </message>
    <message>
        <source>chosen channel</source>
        <translation>выбранный канал</translation>
    </message>
    <message>
        <source>head × token, layer %1</source>
        <translation>голова × токен, слой %1</translation>
    </message>
    <message>
        <source>layer × head</source>
        <translation>слой × голова</translation>
    </message>
    <message>
        <source>layer × channel, longest of heads</source>
        <translation>слой × канал, наибольшее из голов</translation>
    </message>
    <message>
        <source>layer × channel of head %1</source>
        <translation>слой × канал головы %1</translation>
    </message>
    <message>
        <source>head × channel of every layer</source>
        <translation>голова × канал всех слоёв</translation>
    </message>
    <message>
        <source>channel × token, %1</source>
        <translation>канал × токен, %1</translation>
    </message>
    <message>
        <source>half-life over the %1 chosen</source>
        <translation>период полураспада за выбранное (%1)</translation>
    </message>
    <message>
        <source>%1, mean of the %2 chosen</source>
        <translation>%1, среднее по выбранному (%2)</translation>
    </message>
    <message>
        <source>%1, channel %2</source>
        <translation>%1, канал %2</translation>
    </message>
    <message>
        <source>longest</source>
        <translation>наибольшее</translation>
    </message>
    <message>
        <source>over the %1 fed: half-life %2 tokens (%3)</source>
        <translation>по поданному (%1): период полураспада %2 токенов (%3)</translation>
    </message>
    <message>
        <source>layer %1 · head %2</source>
        <translation>слой %1 · голова %2</translation>
    </message>
    <message>
        <source>layer %1 · head %2 · channel %3</source>
        <translation>слой %1 · голова %2 · канал %3</translation>
    </message>
    <message>
        <source>%1 · %2
half-life %3 tokens %4 α %5  g %6</source>
        <translation>%1 · %2
период полураспада %3 токенов %4 α %5  g %6</translation>
    </message>
    <message>
        <source>mean of the %1 chosen</source>
        <translation>среднее по выбранному (%1)</translation>
    </message>
    <message>
        <source>over the %1 chosen</source>
        <translation>по выбранному (%1)</translation>
    </message>
    <message>
        <source>over %1</source>
        <translation>по поданному (%1)</translation>
    </message>
    <message>
        <source>at %1</source>
        <translation>%1</translation>
    </message>
    <message>
        <source>%1 %2, median %3 tokens; line: layer %4, head %5</source>
        <translation>%1, %2, медиана %3 токенов; линия: слой %4, голова %5</translation>
    </message>
    <message>
        <source>of layer %1, head %2:</source>
        <translation>слоя %1, головы %2:</translation>
    </message>
    <message>
        <source>layer · head</source>
        <translation>слой · голова</translation>
    </message>
    <message>
        <source>layer, each of %1 heads</source>
        <translation>слой, в каждом голов: %1</translation>
    </message>
    <message>
        <source>channel of head %1</source>
        <translation>канал головы %1</translation>
    </message>
    <message>
        <source>channel, of the head of %1 that keeps it longest</source>
        <translation>канал той головы из %1, что хранит дольше</translation>
    </message>
    <message>
        <source>token, oldest left: layer %1</source>
        <translation>токен, старейший слева: слой %1</translation>
    </message>
    <message>
        <source>token, oldest left: layer %1, head %2</source>
        <translation>токен, старейший слева: слой %1, голова %2</translation>
    </message>
    <message>
        <source>load over the last</source>
        <translation>нагрузка за последние</translation>
    </message>
    <message>
        <source>Tokens that are counted</source>
        <translation>Сколько токенов учитывается</translation>
    </message>
    <message>
        <source>all kept (at most %1)</source>
        <translation>все хранимые (не больше %1)</translation>
    </message>
    <message>
        <source>Load by layer and expert, in units of an even share</source>
        <translation>Нагрузка по слоям и экспертам, в равных долях</translation>
    </message>
    <message>
        <source>× even share</source>
        <translation>× равной доли</translation>
    </message>
    <message>
        <source>1 = even</source>
        <translation>1 = поровну</translation>
    </message>
    <message>
        <source>4 or more</source>
        <translation>4 и больше</translation>
    </message>
    <message>
        <source>layer %1, expert %2: %3 an even share, %4 by %5</source>
        <translation>слой %1, эксперт %2: %3 равной доли, %4, всего %5</translation>
    </message>
    <message>
        <source>Imbalance by layer</source>
        <translation>Неравномерность по слоям</translation>
    </message>
    <message>
        <source>picked never … four times an even share</source>
        <translation>не выбирался … вчетверо чаще равной доли</translation>
    </message>
    <message>
        <source>picks of the chosen token</source>
        <translation>выборы для выбранного токена</translation>
    </message>
    <message>
        <source>chosen expert</source>
        <translation>выбранный эксперт</translation>
    </message>
    <message>
        <source>load of each expert over the %1 chosen</source>
        <translation>нагрузка каждого эксперта за выбранное (%1)</translation>
    </message>
    <message>
        <source>load of each expert over the last %1</source>
        <translation>нагрузка каждого эксперта за последние %1</translation>
    </message>
    <message>
        <source>picks of %1</source>
        <translation>выборы: %1</translation>
    </message>
    <message>
        <source>Load a model to see which experts its tokens meet.</source>
        <translation>Загрузите модель, чтобы увидеть, каких экспертов встречают её токены.</translation>
    </message>
    <message>
        <source>This model has no experts: every feed-forward layer is dense.</source>
        <translation>В этой модели нет экспертов: все слои прямого распространения плотные.</translation>
    </message>
    <message>
        <source>Send a message: every token picks its experts.</source>
        <translation>Отправьте сообщение: каждый токен выбирает своих экспертов.</translation>
    </message>
    <message>
        <source>The picks</source>
        <translation>Выборы</translation>
    </message>
    <message>
        <source>This recording holds no picks.</source>
        <translation>В этой записи нет выборов.</translation>
    </message>
    <message>
        <source>Token %1: its picks were not read.</source>
        <translation>Токен %1: выборы не прочитаны.</translation>
    </message>
    <message>
        <source>Dots: the picks of token %1 “%2”</source>
        <translation>Точки: выборы для токена %1 «%2»</translation>
    </message>
    <message>
        <source>Layer %1: %2</source>
        <translation>Слой %1: %2</translation>
    </message>
    <message>
        <source>imbalance</source>
        <translation>неравномерность</translation>
    </message>
    <message>
        <source>busiest / mean (even: 1)</source>
        <translation>самый занятый / среднее (поровну: 1)</translation>
    </message>
    <message>
        <source>deviation / mean (even: 0)</source>
        <translation>отклонение / среднее (поровну: 0)</translation>
    </message>
    <message>
        <source>Life</source>
        <translation>Жизнь</translation>
    </message>
    <message>
        <source>Life, the cache head that reads it most</source>
        <translation>Жизнь, голова кэша, читающая его больше всех</translation>
    </message>
    <message>
        <source>Life, the state head that reads it most</source>
        <translation>Жизнь, голова состояния, читающая его больше всех</translation>
    </message>
    <message>
        <source>All heads, ranked by how much of what they read is this word's</source>
        <translation>Все головы по доле этого слова в том, что они читают</translation>
    </message>
    <message>
        <source>at token</source>
        <translation>на токене</translation>
    </message>
    <message>
        <source>Life, the token that reads</source>
        <translation>Жизнь факта: токен, который читает</translation>
    </message>
    <message>
        <source>Left by decay alone</source>
        <translation>Осталось при одном затухании</translation>
    </message>
    <message>
        <source>Left by decay and overwriting</source>
        <translation>Осталось после затухания и записей</translation>
    </message>
    <message>
        <source>Weight of its row in the caches</source>
        <translation>Вес его строки в кэшах</translation>
    </message>
    <message>
        <source>Probability in the answers</source>
        <translation>Вероятность в ответах</translation>
    </message>
    <message>
        <source>It is followed over %1, no further.</source>
        <translation>Прослеживается на %1, не дальше.</translation>
    </message>
    <message>
        <source>It is followed further when the model rests.</source>
        <translation>Дальше — когда модель освободится.</translation>
    </message>
    <message>
        <source>of a state</source>
        <translation>состояния</translation>
    </message>
    <message>
        <source>of a cache</source>
        <translation>кэша</translation>
    </message>
    <message>
        <source>below 0: it takes away</source>
        <translation>ниже 0: отнимает</translation>
    </message>
    <message>
        <source>one line a head: layer.head</source>
        <translation>линия на голову: слой.голова</translation>
    </message>
    <message>
        <source>who reads a token</source>
        <translation>кто читает токен</translation>
    </message>
    <message>
        <source>what is left of a token</source>
        <translation>что осталось от токена</translation>
    </message>
    <message>
        <source>Load a model and tell it something: this lens shows what becomes of a word in each of its memories.</source>
        <translation>Загрузите модель и скажите ей что-нибудь: эта панель покажет, что становится со словом в каждой её памяти.</translation>
    </message>
    <message>
        <source>This recording does not hold who reads a token: it takes the model to see it. Leave the replay to look at any token.</source>
        <translation>В этой записи нет того, кто читает токен: для этого нужна модель. Выйдите из воспроизведения, чтобы посмотреть любой токен.</translation>
    </message>
    <message>
        <source>This recording holds no token's life: it takes the model to follow one. Leave the replay to look at any token.</source>
        <translation>В этой записи нет жизни токена: чтобы её проследить, нужна модель. Выйдите из повтора, чтобы посмотреть любой токен.</translation>
    </message>
    <message>
        <source>Pin a word (a click on it in the chat or the timeline) to see what becomes of it.</source>
        <translation>Закрепите слово (щелчком по нему в беседе или на ленте времени), чтобы увидеть, что с ним становится.</translation>
    </message>
    <message>
        <source>Ask for it: no answer was made since.</source>
        <translation>Спросите о нём: с тех пор ответов не было.</translation>
    </message>
    <message>
        <source>Read most by cache %1.%2</source>
        <translation>Больше всех читает кэш %1.%2</translation>
    </message>
    <message>
        <source>Read most by state %1.%2</source>
        <translation>Больше всех читает состояние %1.%2</translation>
    </message>
    <message>
        <source>%1, %2 later: %3</source>
        <translation>%1, %2 спустя: %3</translation>
    </message>
    <message>
        <source>state %1.%2: left %3, by decay alone %4, read with %5</source>
        <translation>состояние %1.%2: осталось %3, при одном затухании %4, читается с %5</translation>
    </message>
    <message>
        <source>cache %1.%2: %3</source>
        <translation>кэш %1.%2: %3</translation>
    </message>
    <message>
        <source>Least level that is shown</source>
        <translation>Наименьший показываемый уровень</translation>
    </message>
    <message>
        <source>everything</source>
        <translation>всё</translation>
    </message>
    <message>
        <source>info and above</source>
        <translation>сведения и выше</translation>
    </message>
    <message>
        <source>warnings and errors</source>
        <translation>предупреждения и ошибки</translation>
    </message>
    <message>
        <source>errors</source>
        <translation>ошибки</translation>
    </message>
    <message>
        <source>Log: %1</source>
        <translation>Журнал: %1</translation>
    </message>
    <message>
        <source>Copy what is selected, or all that is shown</source>
        <translation>Копировать выделенное или всё показанное</translation>
    </message>
    <message>
        <source>Write all that is shown to a text file</source>
        <translation>Записать всё показанное в текстовый файл</translation>
    </message>
    <message>
        <source>Nothing has happened yet.</source>
        <translation>Пока ничего не произошло.</translation>
    </message>
    <message>
        <source>what happened</source>
        <translation>что произошло</translation>
    </message>
    <message>
        <source>The log is text and no picture: Save… writes it, and Export as CSV has it as rows.</source>
        <translation>Журнал — текст, а не картинка: «Сохранить…» записывает его, а «Экспорт в CSV» даёт его строками.</translation>
    </message>
    <message>
        <source>Save the log</source>
        <translation>Сохранить журнал</translation>
    </message>
    <message>
        <source>Candidates of the selected token: Enter branches with one</source>
        <translation>Варианты выбранного токена: Enter начинает ветвь с одного из них</translation>
    </message>
    <message>
        <source>Entropy of the last tokens</source>
        <translation>Энтропия последних токенов</translation>
    </message>
    <message>
        <source>Load a model to see what it could have said.</source>
        <translation>Загрузите модель, чтобы увидеть, что она могла бы сказать.</translation>
    </message>
    <message>
        <source>Send a message: for each token of the answer this shows what else was likely.</source>
        <translation>Отправьте сообщение: для каждого токена ответа здесь видно, что ещё было вероятно.</translation>
    </message>
    <message>
        <source>A server tells a few candidates of a token, and of those nobody knows the entropy.</source>
        <translation>Сервер сообщает лишь несколько вариантов токена, и их энтропия никому не известна.</translation>
    </message>
    <message>
        <source>The entropies</source>
        <translation>Энтропии</translation>
    </message>
    <message>
        <source>The entropy of each token comes with the next message.</source>
        <translation>Энтропия каждого токена появится со следующим сообщением.</translation>
    </message>
    <message>
        <source>No entropy is known of them.</source>
        <translation>Их энтропия неизвестна.</translation>
    </message>
    <message>
        <source>Entropy: mean %1 nats over %2, the largest %3 at token %4.</source>
        <translation>Энтропия: в среднем %1 нат (%2), наибольшая %3 на токене %4.</translation>
    </message>
    <message>
        <source>what was said</source>
        <translation>что было сказано</translation>
    </message>
    <message>
        <source>what could have been said</source>
        <translation>что могло быть сказано</translation>
    </message>
    <message>
        <source>token looked at</source>
        <translation>рассматриваемый токен</translation>
    </message>
    <message>
        <source>what could have been said instead of %1</source>
        <translation>что ещё могло быть сказано: %1</translation>
    </message>
    <message>
        <source>There are no candidates yet.</source>
        <translation>Вариантов пока нет.</translation>
    </message>
    <message>
        <source>Token %1 “%2”</source>
        <translation>Токен %1 «%2»</translation>
    </message>
    <message>
        <source>%1 was fed, not chosen: it has no candidates.</source>
        <translation>%1 подан, а не выбран: вариантов у него нет.</translation>
    </message>
    <message>
        <source>%1: the server tells no log probabilities of it.</source>
        <translation>%1: сервер не сообщает его логарифмы вероятностей.</translation>
    </message>
    <message>
        <source>%1: %2</source>
        <translation>%1: %2</translation>
    </message>
    <message>
        <source>Its candidates</source>
        <translation>Его варианты</translation>
    </message>
    <message>
        <source>This recording holds no candidates of it.</source>
        <translation>В этой записи нет его вариантов.</translation>
    </message>
    <message>
        <source>%1 · rank %2 · probability %3</source>
        <translation>%1 · ранг %2 · вероятность %3</translation>
    </message>
    <message>
        <source>%1 · entropy %2 nats</source>
        <translation>%1 · энтропия %2 нат</translation>
    </message>
    <message>
        <source>id %1</source>
        <translation>id %1</translation>
    </message>
    <message>
        <source>(nothing)</source>
        <translation>(ничего)</translation>
    </message>
    <message>
        <source>An answer is being played again.</source>
        <translation>Ответ проигрывается ещё раз.</translation>
    </message>
    <message>
        <source>Go back to now to try another token.</source>
        <translation>Вернитесь к настоящему, чтобы попробовать другой токен.</translation>
    </message>
    <message>
        <source>A recording cannot branch.</source>
        <translation>Запись нельзя разветвить.</translation>
    </message>
    <message>
        <source>Load a model and send the message again to try another token.</source>
        <translation>Загрузите модель и отправьте сообщение снова, чтобы попробовать другой токен.</translation>
    </message>
    <message>
        <source>%1 with a state: %2, whatever the context.</source>
        <translation>%1 с состоянием: %2 при любом контексте.</translation>
    </message>
    <message>
        <source>%1 with a cache: %2 more with every token.</source>
        <translation>%1 с кэшем: ещё %2 с каждым токеном.</translation>
    </message>
    <message>
        <source>A token reads %1 of weights.</source>
        <translation>Один токен читает весов: %1.</translation>
    </message>
    <message>
        <source>mixer with a state</source>
        <translation>слой с состоянием</translation>
    </message>
    <message>
        <source>mixer with a cache</source>
        <translation>слой с кэшем</translation>
    </message>
    <message>
        <source>experts</source>
        <translation>эксперты</translation>
    </message>
    <message>
        <source>the rest</source>
        <translation>остальное</translation>
    </message>
    <message>
        <source>chosen layer</source>
        <translation>выбранный слой</translation>
    </message>
    <message>
        <source>layers from bottom to top</source>
        <translation>слои снизу вверх</translation>
    </message>
    <message>
        <source>matrices counted as %1</source>
        <translation>матрицы посчитаны как %1</translation>
    </message>
    <message>
        <source>Load a model, and this shows its layers.</source>
        <translation>Загрузите модель, и здесь появятся её слои.</translation>
    </message>
    <message>
        <source>Embedding</source>
        <translation>Эмбеддинг</translation>
    </message>
    <message>
        <source>Embedding: a token reads its own row, %1.</source>
        <translation>Эмбеддинг: токен читает свою строку, %1.</translation>
    </message>
    <message>
        <source>%1 of %2 experts</source>
        <translation>экспертов: %1 из %2</translation>
    </message>
    <message>
        <source>dense</source>
        <translation>плотная</translation>
    </message>
    <message>
        <source>%1 state</source>
        <translation>%1, состояние</translation>
    </message>
    <message>
        <source>%1 a token</source>
        <translation>%1 на токен</translation>
    </message>
    <message>
        <source>Layer %1: %2, then %3. A token reads %4 of weights for the mixer and %5 for the feed-forward part. It remembers: %6.</source>
        <translation>Слой %1: %2, затем прямая часть (%3). Токен читает %4 весов для смешивания и %5 для прямой части. Слой помнит: %6.</translation>
    </message>
    <message>
        <source>Its experts work in a latent of %1 channels.</source>
        <translation>Его эксперты работают в латентном пространстве из %1 каналов.</translation>
    </message>
    <message numerus="yes">
        <source>The mixer reads a mix of %Ln residual stream(s).</source>
        <translation>
            <numerusform>Смешивание читает смесь %Ln остаточного потока.</numerusform>
            <numerusform>Смешивание читает смесь %Ln остаточных потоков.</numerusform>
            <numerusform>Смешивание читает смесь %Ln остаточных потоков.</numerusform>
        </translation>
    </message>
    <message>
        <source>Output</source>
        <translation>Выход</translation>
    </message>
    <message>
        <source>Output head: a token reads %1.</source>
        <translation>Выходная голова: токен читает %1.</translation>
    </message>
    <message>
        <source>Shape whose memory is shown</source>
        <translation>Форма, чья память показана</translation>
    </message>
    <message>
        <source>The loaded model, or a shape: memory follows from the shapes alone, so no weights are needed</source>
        <translation>Загруженная модель или форма: память следует из одной формы, поэтому веса не нужны</translation>
    </message>
    <message>
        <source>loaded model</source>
        <translation>загруженная модель</translation>
    </message>
    <message>
        <source>what if it were</source>
        <translation>если бы было</translation>
    </message>
    <message>
        <source>What if the conversation had so many tokens</source>
        <translation>Если бы в беседе было столько токенов</translation>
    </message>
    <message>
        <source>From 256 to 1,048,576 tokens; a page step doubles</source>
        <translation>От 256 до 1 048 576 токенов; страничный шаг удваивает</translation>
    </message>
    <message>
        <source>Bytes now and at the chosen length</source>
        <translation>Байты сейчас и при выбранной длине</translation>
    </message>
    <message>
        <source>Bytes by length of the conversation, both logarithmic</source>
        <translation>Байты от длины беседы, обе оси логарифмические</translation>
    </message>
    <message>
        <source>Bytes of each layer at the chosen length</source>
        <translation>Байты каждого слоя при выбранной длине</translation>
    </message>
    <message>
        <source>Bytes at the length of the slider. As MLA or attention, multi-head: what the layer would hold as such, computed.</source>
        <translation>Байты при длине ползунка. Как MLA или внимание, многоголовое: что слой хранил бы в этом качестве, вычислено.</translation>
    </message>
    <message>
        <source>now, rows of the cache</source>
        <translation>сейчас, строки кэша</translation>
    </message>
    <message>
        <source>now</source>
        <translation>сейчас</translation>
    </message>
    <message>
        <source>what if</source>
        <translation>если бы</translation>
    </message>
    <message>
        <source>crossover</source>
        <translation>пересечение</translation>
    </message>
    <message>
        <source>This conversation</source>
        <translation>Эта беседа</translation>
    </message>
    <message>
        <source>A conversation with %1</source>
        <translation>Беседа с %1</translation>
    </message>
    <message>
        <source>bytes by length of the conversation</source>
        <translation>байты от длины беседы</translation>
    </message>
    <message>
        <source>now %1</source>
        <translation>сейчас %1</translation>
    </message>
    <message>
        <source>computed from its shape</source>
        <translation>вычислено по форме</translation>
    </message>
    <message>
        <source>what if %1</source>
        <translation>если бы %1</translation>
    </message>
    <message>
        <source>%1 (loaded)</source>
        <translation>%1 (загружена)</translation>
    </message>
    <message>
        <source>the memory of %1</source>
        <translation>памяти %1</translation>
    </message>
    <message>
        <source>this machine's available memory (MemAvailable)</source>
        <translation>доступной памяти машины (MemAvailable)</translation>
    </message>
    <message>
        <source>now, %1</source>
        <translation>сейчас, %1</translation>
    </message>
    <message>
        <source>at %1</source>
        <comment>so many tokens</comment>
        <translation>при %1</translation>
    </message>
    <message>
        <source>of this model</source>
        <translation>от этой модели</translation>
    </message>
    <message>
        <source>fits here up to</source>
        <translation>здесь поместится до</translation>
    </message>
    <message>
        <source>n/a (unknown memory)</source>
        <translation>нет (память неизвестна)</translation>
    </message>
    <message>
        <source>nothing</source>
        <translation>ничего</translation>
    </message>
    <message>
        <source>any length</source>
        <translation>любая длина</translation>
    </message>
    <message>
        <source>%1 tokens</source>
        <translation>%1 токенов</translation>
    </message>
    <message>
        <source>multi-head attention, computed</source>
        <translation>многоголовое внимание, вычислено</translation>
    </message>
    <message>
        <source>&lt;p&gt;This model: state %1 and convolution tails %2, constant; cache %3 a token, in pages of 256 tokens.&lt;/p&gt;&lt;p&gt;Same-shapes twin: every layer keeps keys and values of %4 heads, %5 values a token.&lt;/p&gt;&lt;p&gt;Multi-head attention: layers &amp;times; heads &amp;times; 2 &amp;times; width of a head, values a token = %6 &amp;times; %7 &amp;times; 2 &amp;times; %8 = %9, at %10 bytes each.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Эта модель: состояние %1 и хвосты свёрток %2, постоянны; кэш %3 на токен, страницами по 256 токенов.&lt;/p&gt;&lt;p&gt;Двойник тех же форм: каждый слой хранит ключи и значения %4 голов, %5 чисел на токен.&lt;/p&gt;&lt;p&gt;Многоголовое внимание: слои &amp;times; головы &amp;times; 2 &amp;times; ширина головы, чисел на токен = %6 &amp;times; %7 &amp;times; 2 &amp;times; %8 = %9, по %10 байта.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;This model: state %1 and convolution tails %2, constant; MLA cache %3 a token, in pages of 256 tokens.&lt;/p&gt;&lt;p&gt;Same-shapes twin: every layer keeps r&lt;sub&gt;kv&lt;/sub&gt; + d&lt;sub&gt;rope&lt;/sub&gt; = %4 + %5 values a token.&lt;/p&gt;&lt;p&gt;Multi-head attention: layers &amp;times; heads &amp;times; (d&lt;sub&gt;nope&lt;/sub&gt; + d&lt;sub&gt;rope&lt;/sub&gt; + d&lt;sub&gt;v&lt;/sub&gt;) values a token = %6 &amp;times; %7 &amp;times; (%8 + %9 + %10) = %11, at %12 bytes each.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Эта модель: состояние %1 и хвосты свёрток %2, постоянны; кэш MLA %3 на токен, страницами по 256 токенов.&lt;/p&gt;&lt;p&gt;Двойник той же формы: каждый слой хранит r&lt;sub&gt;kv&lt;/sub&gt; + d&lt;sub&gt;rope&lt;/sub&gt; = %4 + %5 значений на токен.&lt;/p&gt;&lt;p&gt;Многоголовое внимание: слои &amp;times; головы &amp;times; (d&lt;sub&gt;nope&lt;/sub&gt; + d&lt;sub&gt;rope&lt;/sub&gt; + d&lt;sub&gt;v&lt;/sub&gt;) значений на токен = %6 &amp;times; %7 &amp;times; (%8 + %9 + %10) = %11, по %12 байта.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>tokens of conversation</source>
        <translation>токены беседы</translation>
    </message>
    <message>
        <source>limit of this machine %1</source>
        <translation>предел этой машины %1</translation>
    </message>
    <message>
        <source>now in the cache %1</source>
        <translation>сейчас в кэше %1</translation>
    </message>
    <message>
        <source>smaller than the same-shapes twin from %1</source>
        <translation>меньше двойника той же формы с %1</translation>
    </message>
    <message>
        <source>smaller from %1</source>
        <translation>меньше с %1</translation>
    </message>
    <message>
        <source>the model's limit %1</source>
        <translation>предел модели %1</translation>
    </message>
    <message>
        <source>The cache rolls: of %1 it holds the newest %2, and %3 were dropped; the states have seen all.</source>
        <translation>Кэш сдвигается: всего %1, в нём новейшие %2, удалено %3; состояния видели всё.</translation>
    </message>
    <message>
        <source>Below %1 the same-shapes twin is the smaller one: a state is paid for at once, a cache token by token.</source>
        <translation>Меньше чем при %1 выгоднее двойник той же формы: за состояние платят сразу, за кэш — токен за токеном.</translation>
    </message>
    <message>
        <source>Below %1 multi-head attention is the smaller one: a state is paid for at once, a cache token by token.</source>
        <translation>Меньше чем при %1 выгоднее многоголовое внимание: за состояние платят сразу, за кэш — токен за токеном.</translation>
    </message>
    <message>
        <source>All layers are attention, so this model is its own same-shapes twin.</source>
        <translation>Все слои — внимание, поэтому модель сама себе двойник тех же форм.</translation>
    </message>
    <message>
        <source>This system does not say how much memory is free, so no limit is drawn.</source>
        <translation>Система не говорит, сколько памяти свободно, поэтому предел не нарисован.</translation>
    </message>
    <message>
        <source>The weights alone (%1) do not fit into the %2 of %3.</source>
        <translation>Одни веса (%1) не помещаются: есть %2 %3.</translation>
    </message>
    <message>
        <source>Limit: %1 of %2 minus %3 of weights.</source>
        <translation>Предел: %1 %2 минус %3 весов.</translation>
    </message>
    <message>
        <source>none</source>
        <translation>нет</translation>
    </message>
    <message>
        <source>up to</source>
        <translation>до</translation>
    </message>
    <message>
        <source>Context to race to</source>
        <translation>Контекст, до которого идёт гонка</translation>
    </message>
    <message>
        <source>Start or stop the race</source>
        <translation>Начать или остановить гонку</translation>
    </message>
    <message>
        <source>How far the race is</source>
        <translation>Как далеко зашла гонка</translation>
    </message>
    <message>
        <source>Tokens a second at the longest context so far</source>
        <translation>Токенов в секунду при самом длинном контексте</translation>
    </message>
    <message>
        <source>Watch the recorded race</source>
        <translation>Смотреть записанную гонку</translation>
    </message>
    <message>
        <source>Time of a token by context</source>
        <translation>Время токена от контекста</translation>
    </message>
    <message>
        <source>Memory by context</source>
        <translation>Память от контекста</translation>
    </message>
    <message>
        <source>did not end</source>
        <translation>не закончена</translation>
    </message>
    <message>
        <source>time and memory by context, beside the %1</source>
        <translation>время и память от контекста, рядом: %1</translation>
    </message>
    <message>
        <source>time and memory by context</source>
        <translation>время и память от контекста</translation>
    </message>
    <message>
        <source>There is no race yet: press Start.</source>
        <translation>Гонки ещё не было: нажмите «Старт».</translation>
    </message>
    <message>
        <source>This recording holds no race.</source>
        <translation>В этой записи нет гонки.</translation>
    </message>
    <message>
        <source>Load a model to race it.</source>
        <translation>Загрузите модель для гонки.</translation>
    </message>
    <message>
        <source>all %1</source>
        <translation>все %1</translation>
    </message>
    <message>
        <source>making the twin ready</source>
        <translation>готовится двойник</translation>
    </message>
    <message>
        <source>%1 of %2 tokens, both in turn</source>
        <translation>%1 из %2 токенов, обе по очереди</translation>
    </message>
    <message>
        <source>done</source>
        <translation>готово</translation>
    </message>
    <message>
        <source>waits until the model is free</source>
        <translation>ждёт, пока модель освободится</translation>
    </message>
    <message>
        <source>Nothing to race: no engine here runs multi-head attention. Compare with the twin (run bar) to race it.</source>
        <translation>Гонять нечего: многоголовое внимание здесь никто не запускает. Для гонки сравните с двойником (панель запуска).</translation>
    </message>
    <message>
        <source>as fast</source>
        <translation>быстрее</translation>
    </message>
    <message>
        <source>as slow</source>
        <translation>медленнее</translation>
    </message>
    <message>
        <source>and %1× the memory, at %2</source>
        <translation>и %1× памяти, при %2</translation>
    </message>
    <message>
        <source>Press Start: both models decode the same tokens in turn, at growing contexts.</source>
        <translation>Нажмите «Старт»: обе модели декодируют те же токены по очереди, при растущем контексте.</translation>
    </message>
    <message>
        <source>Load a model to race it against its full-attention twin.</source>
        <translation>Загрузите модель для гонки с её двойником полного внимания.</translation>
    </message>
    <message>
        <source>A race that was recorded on another machine comes with this program.</source>
        <translation>К программе приложена гонка, записанная на другой машине.</translation>
    </message>
    <message>
        <source>tokens of context</source>
        <translation>токены контекста</translation>
    </message>
    <message>
        <source>this model, recorded</source>
        <translation>эта модель, запись</translation>
    </message>
    <message>
        <source>time of a token: median, fastest to slowest</source>
        <translation>время токена: медиана, от быстрого до медленного</translation>
    </message>
    <message>
        <source>time of a token, median</source>
        <translation>время токена, медиана</translation>
    </message>
    <message>
        <source>memory of the conversation</source>
        <translation>память беседы</translation>
    </message>
    <message>
        <source>this model, computed</source>
        <translation>эта модель, вычислено</translation>
    </message>
    <message>
        <source>less memory than the same-shapes twin from %1</source>
        <translation>памяти меньше, чем у двойника той же формы, с %1</translation>
    </message>
    <message>
        <source>less memory from %1</source>
        <translation>памяти меньше с %1</translation>
    </message>
    <message>
        <source>The trained twin was trained as full attention, with shapes of its own.</source>
        <translation>Обученный двойник обучался как полное внимание, у него своя форма.</translation>
    </message>
    <message>
        <source>The twin has this model's weights but for its mixers, which are full attention with random weights: its times and bytes are real, its words are not.</source>
        <translation>У двойника веса этой модели, кроме смесителей: это полное внимание со случайными весами. Его времена и байты настоящие, слова — нет.</translation>
    </message>
    <message>
        <source>Recorded: not measured on this machine now.</source>
        <translation>Запись: измерено не сейчас и не на этой машине.</translation>
    </message>
    <message>
        <source>It will run on the %1 of this conversation, repeated.</source>
        <translation>Пройдёт по токенам этой беседы (%1), повторяя их.</translation>
    </message>
    <message>
        <source>It will run on random tokens, as there is no conversation yet.</source>
        <translation>Пройдёт по случайным токенам: беседы ещё нет.</translation>
    </message>
    <message>
        <source>It ran on the %1 that the conversation had then, repeated.</source>
        <translation>Прошла по токенам тогдашней беседы (%1), повторяя их.</translation>
    </message>
    <message>
        <source>It ran on random tokens, as there was no conversation.</source>
        <translation>Прошла по случайным токенам: беседы не было.</translation>
    </message>
    <message>
        <source>Hold A</source>
        <translation>Удержать A</translation>
    </message>
    <message>
        <source>Hold B</source>
        <translation>Удержать B</translation>
    </message>
    <message>
        <source>Lock range</source>
        <translation>Закрепить шкалу</translation>
    </message>
    <message>
        <source>Now</source>
        <translation>Сейчас</translation>
    </message>
    <message>
        <source>Now − A</source>
        <translation>Сейчас − A</translation>
    </message>
    <message>
        <source>State, picture</source>
        <translation>Состояние, картинка</translation>
    </message>
    <message>
        <source>The state as it is now, or after the chosen token; one that was held; or the difference of two</source>
        <translation>Состояние как сейчас или за выбранным токеном; удержанное; или разность двух</translation>
    </message>
    <message>
        <source>Keep the state that Now shows as A</source>
        <translation>Удержать как A состояние, которое показывает «Сейчас»</translation>
    </message>
    <message>
        <source>Keep the state that Now shows as B</source>
        <translation>Удержать как B состояние, которое показывает «Сейчас»</translation>
    </message>
    <message>
        <source>Keep the range of the colours for all heads and pictures. Unlocked, a head's range only grows, in steps; it covers all but the largest half percent of the numbers.</source>
        <translation>Держать шкалу цветов для всех голов и картинок. Иначе шкала головы только растёт, ступенями; она охватывает все числа, кроме наибольшей половины процента.</translation>
    </message>
    <message>
        <source>State, %1</source>
        <translation>Состояние, %1</translation>
    </message>
    <message>
        <source>State, the head that A is of</source>
        <translation>Состояние, голова, к которой относится A</translation>
    </message>
    <message>
        <source>Norms of this layer's heads</source>
        <translation>Нормы голов этого слоя</translation>
    </message>
    <message>
        <source>Norms of all layers, median of heads</source>
        <translation>Нормы всех слоёв, медиана голов</translation>
    </message>
    <message>
        <source>Surgery: what can be read, overwritten, erased</source>
        <translation>Хирургия: прочесть, перезаписать, стереть</translation>
    </message>
    <message>
        <source>Under other rules: the same tokens</source>
        <translation>При других правилах: те же токены</translation>
    </message>
    <message>
        <source>State, norms of</source>
        <translation>Состояние, нормы чего</translation>
    </message>
    <message>
        <source>Frobenius norms over the last 512 tokens. Line: |S|. Area: |ΔS|, what the token wrote. One common scale, which only grows. Source: the engine's readings; in a long prompt |S| is read at the last token of a chunk only.</source>
        <translation>Нормы Фробениуса за последние 512 токенов. Линия: |S|. Площадь: |ΔS|, что записал токен. Одна общая шкала, она только растёт. Источник: показания движка; в длинном промпте |S| читается только на последнем токене куска.</translation>
    </message>
    <message>
        <source>State matrix</source>
        <translation>Матрица состояния</translation>
    </message>
    <message>
        <source>value %1, key %2: %3</source>
        <translation>значение %1, ключ %2: %3</translation>
    </message>
    <message>
        <source>n/a (%1)</source>
        <translation>нет (%1)</translation>
    </message>
    <message>
        <source>read at the end of a chunk only</source>
        <translation>читается только в конце куска</translation>
    </message>
    <message>
        <source>after %1</source>
        <translation>после: %1</translation>
    </message>
    <message>
        <source>the chosen token's comes when the model rests: this is the newest</source>
        <translation>состояние выбранного токена — когда модель освободится: это новейшее</translation>
    </message>
    <message>
        <source>looking back …</source>
        <translation>смотрит назад …</translation>
    </message>
    <message>
        <source>stopped: this is the newest</source>
        <translation>остановлено: это новейшее</translation>
    </message>
    <message>
        <source>more than %1 from any snapshot to the chosen one: this is the newest</source>
        <translation>от любого снимка до выбранного больше, чем %1: это новейшее</translation>
    </message>
    <message>
        <source>no state this early was recorded: this is the newest</source>
        <translation>столь раннее состояние не записано: это новейшее</translation>
    </message>
    <message>
        <source>fed again from a snapshot</source>
        <translation>подано снова от снимка</translation>
    </message>
    <message>
        <source>recorded</source>
        <translation>записано</translation>
    </message>
    <message>
        <source>the nearest that was recorded</source>
        <translation>ближайшее из записанных</translation>
    </message>
    <message>
        <source>There is no picture to hold yet</source>
        <translation>Удерживать пока нечего</translation>
    </message>
    <message>
        <source>Send a message first: a state is pictured while tokens are made.</source>
        <translation>Сначала отправьте сообщение: состояние рисуется, пока создаются токены.</translation>
    </message>
    <message>
        <source>%1 is layer %2, head %3, %4. Click to keep the state that Now shows instead.</source>
        <translation>%1 — слой %2, голова %3, %4. Щёлкните, чтобы удержать вместо него то, что показывает «Сейчас».</translation>
    </message>
    <message>
        <source>Load a model, and this shows what one of its heads remembers.</source>
        <translation>Загрузите модель, и здесь будет видно, что помнит одна из её голов.</translation>
    </message>
    <message>
        <source>This model has no KDA layers: it keeps every token in caches and has no state to look at.</source>
        <translation>В этой модели нет слоёв KDA: она хранит каждый токен в кэшах, и состояния, чтобы смотреть, у неё нет.</translation>
    </message>
    <message>
        <source>Nothing is held as %1 yet: the button Hold %1 keeps the state that Now shows.</source>
        <translation>Как %1 пока ничего не удержано: кнопка «Удержать %1» удержит состояние, которое показывает «Сейчас».</translation>
    </message>
    <message>
        <source>%1 is of layer %2, head %3, and %4 of layer %5, head %6: a difference needs two states of one head.</source>
        <translation>%1: слой %2, голова %3, а %4: слой %5, голова %6; для разности нужны два состояния одной головы.</translation>
    </message>
    <message>
        <source>after %1 less %2</source>
        <translation>после: %1 минус %2</translation>
    </message>
    <message>
        <source>The state of %1 is looked up: the tokens are fed again.</source>
        <translation>Состояние (%1) ищется: токены подаются заново.</translation>
    </message>
    <message>
        <source>The state of %1 comes with the next message.</source>
        <translation>Состояние (%1) появится со следующим сообщением.</translation>
    </message>
    <message>
        <source>This recording shows no state of %1 here.</source>
        <translation>В этой записи здесь нет состояния: %1.</translation>
    </message>
    <message>
        <source>The picture of now</source>
        <translation>Картинка «сейчас»</translation>
    </message>
    <message>
        <source>No norm is known of them.</source>
        <translation>Их нормы неизвестны.</translation>
    </message>
    <message>
        <source>Norm of the state of layer %1, head %2: mean %3, the largest %4 at token %5.</source>
        <translation>Норма состояния слоя %1, головы %2: в среднем %3, наибольшая %4 на токене %5.</translation>
    </message>
    <message>
        <source>negative … positive, in all as in its own</source>
        <translation>минус … плюс, шкала своего правила</translation>
    </message>
    <message>
        <source>its own rule</source>
        <translation>своё правило</translation>
    </message>
    <message>
        <source>|S| by token, one log scale</source>
        <translation>|S| по токенам, одна шкала, лог.</translation>
    </message>
    <message>
        <source>cosine of what is read with what was written</source>
        <translation>косинус прочитанного с записанным</translation>
    </message>
    <message>
        <source>negative … positive</source>
        <translation>отрицательное … положительное</translation>
    </message>
    <message>
        <source>edge: mean size of a row or column</source>
        <translation>край: средняя величина строки или столбца</translation>
    </message>
    <message>
        <source>chosen channel, pinned token</source>
        <translation>выбранный канал, закреплённый токен</translation>
    </message>
    <message>
        <source>strength of a direction</source>
        <translation>сила направления</translation>
    </message>
    <message>
        <source>|S|</source>
        <translation>|S|</translation>
    </message>
    <message>
        <source>what a token wrote, |ΔS|</source>
        <translation>что записал токен, |ΔS|</translation>
    </message>
    <message>
        <source>one state as other rules would have written it</source>
        <translation>состояние, каким его записали бы другие правила</translation>
    </message>
    <message>
        <source>difference of two states of %1</source>
        <translation>разность двух состояний: %1</translation>
    </message>
    <message>
        <source>the state S of %1</source>
        <translation>состояние S: %1</translation>
    </message>
    <message>
        <source>The state is not drawn yet.</source>
        <translation>Состояние ещё не нарисовано.</translation>
    </message>
    <message>
        <source>Show layer %1, head %2, which A is of</source>
        <translation>Показать слой %1, голову %2, к которым относится A</translation>
    </message>
    <message>
        <source>The norms</source>
        <translation>Нормы</translation>
    </message>
    <message>
        <source>The norms of each token come with the next message.</source>
        <translation>Нормы каждого токена появятся со следующим сообщением.</translation>
    </message>
    <message>
        <source>layer %1 · head %2 · |%3| %4 · %5</source>
        <translation>слой %1 · голова %2 · |%3| %4 · %5</translation>
    </message>
    <message>
        <source>value %1 · key %2 · %3 %4</source>
        <translation>значение %1 · ключ %2 · %3 %4</translation>
    </message>
    <message>
        <source>range ±%1 (locked), %2 beyond it</source>
        <translation>шкала ±%1 (закреплена), за ней %2</translation>
    </message>
    <message>
        <source>range ±%1, %2 beyond it</source>
        <translation>шкала ±%1, за ней %2</translation>
    </message>
    <message>
        <source>A piece of text that the model reads or writes at once: a word or a part of one.</source>
        <translation>Кусок текста, который модель читает или пишет за раз: слово или его часть.</translation>
    </message>
    <message>
        <source>One stage of the model. A KDA layer keeps a state, an MLA layer keeps a cache.</source>
        <translation>Одна ступень модели. Слой KDA хранит состояние, слой MLA — кэш.</translation>
    </message>
    <message>
        <source>A part of a layer that has a memory of its own.</source>
        <translation>Часть слоя со своей собственной памятью.</translation>
    </message>
    <message>
        <source>One column of a head's state. Every token sets anew how much of it is left.</source>
        <translation>Один столбец состояния головы. Каждый токен заново задаёт, сколько от него остаётся.</translation>
    </message>
    <message>
        <source>After so many tokens half of what a channel held is left. Later writes are not counted.</source>
        <translation>Через столько токенов остаётся половина того, что хранил канал. Поздние записи не учитываются.</translation>
    </message>
    <message>
        <source>gate</source>
        <translation>вентиль</translation>
    </message>
    <message>
        <source>α, from 0 to 1: what a token leaves of a channel.</source>
        <translation>α, от 0 до 1: сколько токен оставляет от канала.</translation>
    </message>
    <message>
        <source>decay</source>
        <translation>затухание</translation>
    </message>
    <message>
        <source>What the gates take away, token by token, whatever is written meanwhile.</source>
        <translation>Что отнимают вентили, токен за токеном, что бы тем временем ни записывалось.</translation>
    </message>
    <message>
        <source>A matrix of constant size in which a head of a KDA layer keeps what it has read.</source>
        <translation>Матрица постоянного размера, в которой голова слоя KDA хранит прочитанное.</translation>
    </message>
    <message>
        <source>What an MLA layer keeps of every token. It grows with the conversation.</source>
        <translation>Что слой MLA хранит о каждом токене. Растёт вместе с беседой.</translation>
    </message>
    <message>
        <source>The address under which a head writes something into its state, and finds it again.</source>
        <translation>Адрес, по которому голова записывает что-то в своё состояние и находит снова.</translation>
    </message>
    <message>
        <source>What a head writes under a key.</source>
        <translation>Что голова записывает по ключу.</translation>
    </message>
    <message>
        <source>overwriting</source>
        <translation>перезапись</translation>
    </message>
    <message>
        <source>What later tokens take away where they write under keys that resemble an older one.</source>
        <translation>Что отнимают поздние токены, записывая по ключам, похожим на прежний.</translation>
    </message>
    <message>
        <source>How a token changes a state: what it leaves of what was there, and how it writes.</source>
        <translation>Как токен меняет состояние: что оставляет от прежнего и как пишет.</translation>
    </message>
    <message>
        <source>Writing only what is new: the value less what its key reads already.</source>
        <translation>Пишется только новое: значение без того, что уже читается по его ключу.</translation>
    </message>
    <message>
        <source>DeltaNet</source>
        <translation>DeltaNet</translation>
    </message>
    <message>
        <source>A state without gates: only the delta rule takes away what was written before.</source>
        <translation>Состояние без вентилей: записанное раньше убирает только дельта-правило.</translation>
    </message>
    <message>
        <source>The delta rule behind one gate for a whole head. KDA has a gate for each channel.</source>
        <translation>Дельта-правило за одним вентилем на всю голову. У KDA вентиль есть у каждого канала.</translation>
    </message>
    <message>
        <source>GLA</source>
        <translation>GLA</translation>
    </message>
    <message>
        <source>Gated linear attention: a gate for each channel, and every value is added, whatever its key reads already.</source>
        <translation>Линейное внимание с вентилями: вентиль у каждого канала, и каждое значение прибавляется, что бы ни читалось уже по его ключу.</translation>
    </message>
    <message>
        <source>The oldest such state: every value is added to it, and nothing is taken away.</source>
        <translation>Самое старое такое состояние: каждое значение прибавляется, и ничего не убирается.</translation>
    </message>
    <message>
        <source>How alike two directions are: 1 the same, 0 nothing in common, −1 opposite.</source>
        <translation>Насколько похожи два направления: 1 — одинаковы, 0 — ничего общего, −1 — противоположны.</translation>
    </message>
    <message>
        <source>cut</source>
        <translation>правка</translation>
    </message>
    <message>
        <source>A change of a state by hand: one key gets another value, or none.</source>
        <translation>Изменение состояния вручную: один ключ получает другое значение или никакого.</translation>
    </message>
    <message>
        <source>direction</source>
        <translation>направление</translation>
    </message>
    <message>
        <source>A pattern over keys that a state can hold apart from the others. A state with 32 keys has room for 32.</source>
        <translation>Узор по ключам, который состояние может хранить отдельно от других. В состоянии с 32 ключами места на 32.</translation>
    </message>
    <message>
        <source>One of several small networks of a layer. A router picks a few of them for each token.</source>
        <translation>Одна из нескольких малых сетей слоя. Для каждого токена маршрутизатор выбирает некоторые из них.</translation>
    </message>
    <message>
        <source>router</source>
        <translation>маршрутизатор</translation>
    </message>
    <message>
        <source>The part of a layer that picks experts for a token.</source>
        <translation>Часть слоя, которая выбирает экспертов для токена.</translation>
    </message>
    <message>
        <source>even share</source>
        <translation>равная доля</translation>
    </message>
    <message>
        <source>How often an expert would be picked if all were picked equally often.</source>
        <translation>Как часто выбирался бы эксперт, если бы все выбирались одинаково часто.</translation>
    </message>
    <message>
        <source>logit</source>
        <translation>логит</translation>
    </message>
    <message>
        <source>The model's score of a token that could come next, before it becomes a probability.</source>
        <translation>Оценка моделью токена, который мог бы идти следующим, до того как она станет вероятностью.</translation>
    </message>
    <message>
        <source>How unsure the model was, in nats. 0: it saw one choice only.</source>
        <translation>Насколько модель сомневалась, в натах. 0: она видела лишь один вариант.</translation>
    </message>
    <message>
        <source>equal choices</source>
        <translation>равные варианты</translation>
    </message>
    <message>
        <source>e to the entropy: so many equally likely tokens would be as unsure.</source>
        <translation>e в степени энтропии: столько равновероятных токенов дали бы ту же неопределённость.</translation>
    </message>
    <message>
        <source>A model with full attention in every layer that was trained beside this one. It has shapes of its own.</source>
        <translation>Модель с полным вниманием в каждом слое, обученная рядом с этой. У неё своя форма.</translation>
    </message>
    <message>
        <source>This model with attention in every layer. Its memory follows from the shapes alone, so it is computed.</source>
        <translation>Эта модель с вниманием в каждом слое. Её память следует из одних форм, поэтому вычисляется.</translation>
    </message>
    <message>
        <source>twin</source>
        <translation>двойник</translation>
    </message>
    <message>
        <source>A model with full attention in every layer, to compare with.</source>
        <translation>Модель с полным вниманием в каждом слое, для сравнения.</translation>
    </message>
    <message>
        <source>Hello</source>
        <translation>Привет</translation>
    </message>
    <message>
        <source>The states begin at zero: watch the first words fill them.</source>
        <translation>Состояния начинаются с нуля: смотрите, как их наполняют первые слова.</translation>
    </message>
    <message>
        <source>What is KDA?</source>
        <translation>Что такое KDA?</translation>
    </message>
    <message>
        <source>Compare the half-lives, from channel to channel and from layer to layer.</source>
        <translation>Сравните периоды полураспада от канала к каналу и от слоя к слою.</translation>
    </message>
    <message>
        <source>What is MLA?</source>
        <translation>Что такое MLA?</translation>
    </message>
    <message>
        <source>MLA's cache grows with every token, the KDA states stay as large as they were.</source>
        <translation>Кэш MLA растёт с каждым токеном, состояния KDA остаются прежними.</translation>
    </message>
    <message>
        <source>Experts at work</source>
        <translation>Эксперты за работой</translation>
    </message>
    <message>
        <source>Two of eight experts work on a token: see which ones carried this answer.</source>
        <translation>С токеном работают два эксперта из восьми: смотрите, какие из них вынесли этот ответ.</translation>
    </message>
    <message>
        <source>Where is the order?</source>
        <translation>Где порядок?</translation>
    </message>
    <message>
        <source>Only the last layer attends, and it knows no positions: see which tokens it looks at.</source>
        <translation>Внимание есть только в последнем слое, и позиций оно не знает: смотрите, на какие токены оно глядит.</translation>
    </message>
    <message>
        <source>Replace, not pile up</source>
        <translation>Заменить, а не накопить</translation>
    </message>
    <message>
        <source>A write first takes away what its key held: watch a state from token to token.</source>
        <translation>Запись сначала убирает то, что хранил её ключ: следите за состоянием от токена к токену.</translation>
    </message>
    <message>
        <source>A color over distance</source>
        <translation>Цвет на расстоянии</translation>
    </message>
    <message>
        <source>The color was told three exchanges ago: look for channels whose half-life is longer than that, and at what is left of it.</source>
        <translation>Цвет назвали три реплики назад: ищите каналы с большим периодом полураспада и смотрите, что от него осталось.</translation>
    </message>
    <message>
        <source>A name it does not know</source>
        <translation>Имя, которого она не знает</translation>
    </message>
    <message>
        <source>It was trained on made-up names: what it says comes out of its memory, token by token.</source>
        <translation>Её учили на выдуманных именах: сказанное приходит из её памяти, токен за токеном.</translation>
    </message>
    <message>
        <source>Three facts in one breath</source>
        <translation>Три факта на одном дыхании</translation>
    </message>
    <message>
        <source>Three facts lie in the same matrices under different keys: see how the state of layer 0, head 0 finds the job.</source>
        <translation>Три факта лежат в тех же матрицах под разными ключами: смотрите, как состояние слоя 0, головы 0 находит профессию.</translation>
    </message>
    <message>
        <source>Override a fact, twice</source>
        <translation>Изменить факт дважды</translation>
    </message>
    <message>
        <source>Each new color is written where the last one was: watch the state at "green".</source>
        <translation>Каждый новый цвет пишется туда, где был прежний: смотрите состояние на «green».</translation>
    </message>
    <message>
        <source>Not told</source>
        <translation>Не сказано</translation>
    </message>
    <message>
        <source>There is nothing to recall: see how sure it is when it says so.</source>
        <translation>Вспоминать нечего: смотрите, насколько она уверена, когда это говорит.</translation>
    </message>
    <message>
        <source>Push and pop</source>
        <translation>Положить и снять</translation>
    </message>
    <message>
        <source>The top is no longer the last number it read: see what each memory looks back at.</source>
        <translation>Вершина — уже не последнее прочитанное число: смотрите, на что оглядывается каждая память.</translation>
    </message>
    <message>
        <source>A number in a text</source>
        <translation>Число в тексте</translation>
    </message>
    <message>
        <source>A digit is a token of its own: behind the 4, the state of layer 0, head 0 finds the 9 in the middle of a text.</source>
        <translation>Цифра — отдельный токен: за 4 состояние слоя 0, головы 0 находит 9 посреди текста.</translation>
    </message>
    <message>
        <source>Backwards</source>
        <translation>Задом наперёд</translation>
    </message>
    <message>
        <source>Now every word is the key to the one before it: compare the candidates at each comma.</source>
        <translation>Теперь каждое слово — ключ к предыдущему: сравните варианты у каждой запятой.</translation>
    </message>
    <message>
        <source>A story of a cat</source>
        <translation>История о коте</translation>
    </message>
    <message>
        <source>The name is chosen once and then kept: before "Rocket smiled" the cache looks at where it was said first.</source>
        <translation>Имя выбирается один раз и остаётся: перед «Rocket smiled» кэш смотрит туда, где оно названо впервые.</translation>
    </message>
    <message>
        <source>Keep a list</source>
        <translation>Держать список</translation>
    </message>
    <message>
        <source>Every word is the key to the next one: see which word the state of layer 0, head 0 finds while the list comes back.</source>
        <translation>Каждое слово — ключ к следующему: смотрите, какое слово находит состояние слоя 0, головы 0, пока список возвращается.</translation>
    </message>
    <message>
        <source>A fact out of the weights</source>
        <translation>Факт из весов</translation>
    </message>
    <message>
        <source>Nobody has said it before: this answer comes out of the weights, not out of the memory.</source>
        <translation>Раньше этого никто не говорил: ответ приходит из весов, а не из памяти.</translation>
    </message>
    <message>
        <source>A question it cannot answer</source>
        <translation>Вопрос без ответа</translation>
    </message>
    <message>
        <source>It declines in its own words: see how early that is decided.</source>
        <translation>Она отказывается своими словами: смотрите, как рано это решено.</translation>
    </message>
    <message>
        <source>Six pairs</source>
        <translation>Шесть пар</translation>
    </message>
    <message>
        <source>Six keys and six values in matrices of constant size: each question is a key, and the state of layer 0, head 0 finds what it leads to.</source>
        <translation>Шесть ключей и шесть значений в матрицах постоянного размера: каждый вопрос — ключ, и состояние слоя 0, головы 0 находит, к чему он ведёт.</translation>
    </message>
    <message>
        <source>Behind a system prompt</source>
        <translation>За системным промптом</translation>
    </message>
    <message>
        <source>The system prompt stands in the same memory, and the name behind it: see how much of it is left.</source>
        <translation>Системный промпт стоит в той же памяти, имя — за ним: смотрите, сколько от него осталось.</translation>
    </message>
    <message>
        <source>OK</source>
        <translation>OK</translation>
    </message>
    <message>
        <source>&amp;Yes</source>
        <translation>&amp;Да</translation>
    </message>
    <message>
        <source>&amp;No</source>
        <translation>&amp;Нет</translation>
    </message>
</context>
</TS>
